/*
 * The test scene: a cube, lit and textured, with a triangle of three colours through it, before a background of changing
 * colour. It is defined by integers, so that every API is given the same numbers:
 *
 *   places   in 1/16 of a pixel, which all rasterizers have exactly, from the left and the top; depth in 1/65536. No centre
 *            of a pixel lies on the edge of a face, so that no API's rule for ties is asked. Parallel projection: what is
 *            interpolated is linear in x and y.
 *   colours  in 1/255, at the corners; a pixel's is the interpolated colour times the texture's, sampled with linear filter
 *            and clamped to the edge.
 *   cube     half an edge is 1020/16 pixels. It is turned about y (cosine 4/5, sine 3/5), then about x (15/17, 8/17): all
 *            corners are integers again. A face's light is 112/255, and 143/255 times the cosine to the light in (-2,-3,-6).
 *   depth    less is nearer; the nearer is seen.
 *
 * test/scene has the same definition in Go, and tests compare pictures with it.
 */
#include "scene.h"

#include <string.h>

struct corner {
    int x, y, z;
    int colour[3];
    int u, v; /* texels from the texture's left and top, 0 to TILE */
};

static struct figure it;
static int triangles;

/* 2*2048 is the picture's middle. Odd numbers keep the edges off the pixels' centres. */
enum { MIDDLE_X = 2049, MIDDLE_Y = 2083, MIDDLE_Z = 32768 };
/* A white texel with white ones around it. */
enum { WHITE_U = 22, WHITE_V = 32 };

static void tile(void)
{
    for (int j = 0; j < TILE; j++)
        for (int i = 0; i < TILE; i++) {
            uint8_t *t = it.tile + 4 * (TILE * j + i);
            /* A capsule, one half white: what is nearer than 14 texels to the line from (22,32) to (42,32). */
            int x = 2 * i + 1, y = 2 * j + 1, near = x < 44 ? 44 : x > 84 ? 84 : x;
            int far = (x - near) * (x - near) + (y - 64) * (y - 64);
            bool rim = i < 3 || j < 3 || i >= TILE - 3 || j >= TILE - 3;
            int c[3] = {216, 216, 216};
            if (far < 28 * 28)
                c[0] = x < 64 ? 255 : 208, c[1] = x < 64 ? 255 : 96, c[2] = x < 64 ? 255 : 80;
            else if (far < 32 * 32 || rim)
                c[0] = c[1] = c[2] = 112;
            t[0] = (uint8_t)c[0], t[1] = (uint8_t)c[1], t[2] = (uint8_t)c[2], t[3] = 255;
        }
}

/* The plane through the values of three corners, at centres of pixels. */
static void plane(float *p, const struct corner *c, double v0, double v1, double v2)
{
    double x1 = c[1].x - c[0].x, y1 = c[1].y - c[0].y, x2 = c[2].x - c[0].x, y2 = c[2].y - c[0].y;
    double area = x1 * y2 - x2 * y1;
    double dx = ((v1 - v0) * y2 - (v2 - v0) * y1) / area, dy = ((v2 - v0) * x1 - (v1 - v0) * x2) / area;
    p[0] = (float)(16 * dx);
    p[1] = (float)(16 * dy);
    p[2] = (float)(v0 + (8 - c[0].x) * dx + (8 - c[0].y) * dy);
}

static void triangle(struct corner a, struct corner b, struct corner c)
{
    if ((b.x - a.x) * (c.y - a.y) < (c.x - a.x) * (b.y - a.y)) { /* all turn the same way */
        struct corner t = b;
        b = c;
        c = t;
    }
    struct corner all[3] = {a, b, c};
    struct setup *s = it.triangles + triangles;
    for (int k = 0; k < 3; k++) {
        const struct corner *from = all + k, *to = all + (k + 1) % 3;
        struct vertex *v = it.vertices + 3 * triangles + k;
        s->edge[k][0] = from->y - to->y;
        s->edge[k][1] = to->x - from->x;
        s->edge[k][2] = from->x * to->y - to->x * from->y;
        v->at[0] = (float)from->x / 2048 - 1;
        v->at[1] = (float)from->y / 2048 - 1;
        v->at[2] = (float)from->z / 65536;
        v->at[3] = v->colour[3] = 1;
        for (int j = 0; j < 3; j++)
            v->colour[j] = (float)from->colour[j] / 255;
        v->place[0] = (float)from->u / TILE;
        v->place[1] = (float)from->v / TILE;
    }
    plane(s->plane[0], all, a.z / 65536.0, b.z / 65536.0, c.z / 65536.0);
    for (int j = 0; j < 3; j++)
        plane(s->plane[1 + j], all, a.colour[j] / 255.0, b.colour[j] / 255.0, c.colour[j] / 255.0);
    plane(s->plane[4], all, a.u, b.u, c.u);
    plane(s->plane[5], all, a.v, b.v, c.v);
    triangles++;
}

/* Corners in the order left top, right top, left bottom, right bottom. */
static void quad(const struct corner *c)
{
    triangle(c[0], c[1], c[2]);
    triangle(c[3], c[2], c[1]);
}

static void background(void)
{
    struct corner c[4];
    for (int k = 0; k < 4; k++) {
        int right = k & 1, low = k >> 1;
        c[k] = (struct corner){4096 * right, 4096 * low, 65000, {24 + 40 * right, 36 + 60 * low, 72 + 50 * low}, WHITE_U,
                       WHITE_V};
    }
    quad(c);
}

/* The face where the axis has the sign; u and v run along the next two axes. */
static void face(int axis, int sign)
{
    static const int colours[3][3] = {{96, 192, 255}, {255, 224, 128}, {160, 255, 160}};
    static const int turn[3][3] = {{68, 0, 51}, {24, 75, -32}, {-45, 40, 60}}; /* in 1/85 */
    static const int light[3] = {-2, -3, -6}; /* its length is 7 */
    struct corner c[4];
    int cosine = 0;
    for (int row = 0; row < 3; row++)
        cosine += sign * turn[row][axis] * light[row];
    int shade = 112 + 143 * (cosine > 0 ? cosine : 0) / (7 * 85);
    for (int k = 0; k < 4; k++) {
        int p[3];
        p[axis] = sign;
        p[(axis + 1) % 3] = k & 1 ? 1 : -1;
        p[(axis + 2) % 3] = k >> 1 ? 1 : -1;
        int q[3];
        for (int row = 0; row < 3; row++)
            q[row] = 12 * (turn[row][0] * p[0] + turn[row][1] * p[1] + turn[row][2] * p[2]);
        c[k] = (struct corner){MIDDLE_X + q[0], MIDDLE_Y + q[1], MIDDLE_Z + 16 * q[2], {0}, TILE * (k & 1),
            TILE * (k >> 1)};
        for (int j = 0; j < 3; j++)
            c[k].colour[j] = colours[axis][j] * shade / 255;
    }
    quad(c);
}

const struct figure *figure(void)
{
    if (triangles)
        return &it;
    tile();
    background();
    for (int axis = 0; axis < 3; axis++) {
        face(axis, -1); /* those that are seen come first for some axes, last for others: depth decides */
        face(axis, 1);
    }
    triangle((struct corner){203, 3301, 20011, {255, 40, 40}, WHITE_U, WHITE_V},
         (struct corner){3917, 3517, 24007, {40, 255, 40}, WHITE_U, WHITE_V},
         (struct corner){2711, 157, 46003, {40, 40, 255}, WHITE_U, WHITE_V});
    return &it;
}

static float at(const float *plane, int i, int j) { return plane[0] * (float)i + plane[1] * (float)j + plane[2]; }

static int inside(int k) { return k < 0 ? 0 : k < TILE ? k : TILE - 1; }

static void sample(float *to, float u, float v)
{
    int i = (int)(u + 63.5f) - 64, j = (int)(v + 63.5f) - 64; /* floor(u - 1/2) */
    float a = u - 0.5f - (float)i, b = v - 0.5f - (float)j;
    const uint8_t *row = it.tile + 4 * TILE * inside(j), *below = it.tile + 4 * TILE * inside(j + 1);
    int left = 4 * inside(i), right = 4 * inside(i + 1);
    for (int k = 0; k < 3; k++)
        to[k] = ((float)row[left + k] * (1 - a) + (float)row[right + k] * a) * (1 - b) +
            ((float)below[left + k] * (1 - a) + (float)below[right + k] * a) * b;
}

void paint(uint8_t *rgba)
{
    const struct figure *f = figure();
    for (int j = 0; j < SIDE; j++)
        for (int i = 0; i < SIDE; i++) {
            const struct setup *seen = f->triangles;
            float nearest = 1, texel[3];
            for (const struct setup *t = f->triangles; t < f->triangles + TRIANGLES; t++) {
                int x = 16 * i + 8, y = 16 * j + 8;
                bool in = true;
                for (int k = 0; k < 3; k++)
                    in &= x * t->edge[k][0] + y * t->edge[k][1] + t->edge[k][2] >= 0;
                float z = at(t->plane[0], i, j);
                if (in && z < nearest) {
                    nearest = z;
                    seen = t;
                }
            }
            sample(texel, at(seen->plane[4], i, j), at(seen->plane[5], i, j));
            uint8_t *p = rgba + ROW * j + 4 * i;
            for (int k = 0; k < 3; k++)
                p[k] = (uint8_t)(texel[k] * at(seen->plane[1 + k], i, j) + 0.5f);
            p[3] = 255;
        }
}
