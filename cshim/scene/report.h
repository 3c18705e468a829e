/* What main.c and report.c share. */
#ifndef REPORT_H
#define REPORT_H

#include "scene.h"

struct scene {
    const char *name, *api, *platform; /* as rules and plans name them; no character that JSON would escape */
    void (*draw)(void);
    bool choice; /* among devices */
};

/* The clock starts. The picture's path; the descriptor that the JSON goes to. */
void begin_report(const struct scene *scene, const char *picture, int output);

#endif
