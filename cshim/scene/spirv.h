/*
 * The scene's two shaders in SPIR-V 1.0, written instruction by instruction. The first word of an instruction has its length in
 * words above its number (SPIR-V specification, "Physical Layout of a SPIR-V Module and Instruction"; the numbers are of its
 * section "Instructions").
 */
#ifndef SPIRV_H
#define SPIRV_H

#include <stdint.h>

#define OP(words, number) ((uint32_t)(words) << 16 | (number))
#define HEADER(bound) 0x07230203, 0x00010000, 0, bound, 0 /* magic, version 1.0, no generator, ids below this */

#define CAPABILITY(what) OP(2, 17), what
#define MEMORY_MODEL(addressing, model) OP(3, 14), addressing, model
#define EXECUTION_MODE(entry, mode) OP(3, 16), entry, mode
#define DECORATE(id, what, value) OP(4, 71), id, what, value
#define TYPE_VOID(id) OP(2, 19), id
#define TYPE_FLOAT(id, bits) OP(3, 22), id, bits
#define TYPE_VECTOR(id, component, count) OP(4, 23), id, component, count
/* Two dimensions; no depth, array or multisampling; used with a sampler; no format named. */
#define TYPE_IMAGE(id, sampled) OP(9, 25), id, sampled, 1, 0, 0, 0, 1, 0
#define TYPE_SAMPLED_IMAGE(id, image) OP(3, 27), id, image
#define TYPE_POINTER(id, storage, type) OP(4, 32), id, storage, type
#define TYPE_FUNCTION(id, result) OP(3, 33), id, result
#define FUNCTION(result, id, control, type) OP(5, 54), result, id, control, type
#define FUNCTION_END OP(1, 56)
#define VARIABLE(type, id, storage) OP(4, 59), type, id, storage
#define LOAD(type, id, pointer) OP(4, 61), type, id, pointer
#define STORE(pointer, value) OP(3, 62), pointer, value
#define SAMPLE(type, id, image, place) OP(5, 87), type, id, image, place
#define MULTIPLY(type, id, a, b) OP(5, 133), type, id, a, b
#define LABEL(id) OP(2, 248), id
#define RETURN OP(1, 253)
#define NAME_MAIN 0x6e69616d, 0 /* "main", little-endian, with its end */

enum { SHADER = 1, LOGICAL = 0, GLSL450 = 1, VERTEX = 0, FRAGMENT = 4, CONSTANT = 0, INPUT = 1, OUTPUT = 3, BUILTIN = 11,
       LOCATION = 30, BINDING = 33, SET = 34, POSITION = 0, ORIGIN_UPPER_LEFT = 7 };

enum { MAIN = 1, VOID, CALL, FLOAT, VEC2, VEC4, IN2, IN4, OUT2, OUT4, AT, COLOUR, PLACE, POINT, LIGHT, TEXEL, ENTRY, V_AT,
       V_COLOUR, V_PLACE, IMAGE, SAMPLED, TO_SAMPLED, TEXTURE, V_TEXTURE, V_SAMPLE, V_RESULT, BOUND };

#define TYPES                                                                                                          \
    TYPE_VOID(VOID), TYPE_FUNCTION(CALL, VOID), TYPE_FLOAT(FLOAT, 32), TYPE_VECTOR(VEC2, FLOAT, 2),                \
        TYPE_VECTOR(VEC4, FLOAT, 4), TYPE_POINTER(IN2, INPUT, VEC2), TYPE_POINTER(IN4, INPUT, VEC4),           \
        TYPE_POINTER(OUT2, OUTPUT, VEC2), TYPE_POINTER(OUT4, OUTPUT, VEC4)

/* in vec4 AT, COLOUR; in vec2 PLACE; gl_Position = AT; LIGHT = COLOUR; TEXEL = PLACE */
static const uint32_t vertex_shader[] = {
    HEADER(BOUND), CAPABILITY(SHADER), MEMORY_MODEL(LOGICAL, GLSL450),
    OP(11, 15), VERTEX, MAIN, NAME_MAIN, AT, COLOUR, PLACE, POINT, LIGHT, TEXEL,
    DECORATE(AT, LOCATION, 0), DECORATE(COLOUR, LOCATION, 1), DECORATE(PLACE, LOCATION, 2),
    DECORATE(POINT, BUILTIN, POSITION), DECORATE(LIGHT, LOCATION, 0), DECORATE(TEXEL, LOCATION, 1),
    TYPES, VARIABLE(IN4, AT, INPUT), VARIABLE(IN4, COLOUR, INPUT), VARIABLE(IN2, PLACE, INPUT),
    VARIABLE(OUT4, POINT, OUTPUT), VARIABLE(OUT4, LIGHT, OUTPUT), VARIABLE(OUT2, TEXEL, OUTPUT),
    FUNCTION(VOID, MAIN, 0, CALL), LABEL(ENTRY),
    LOAD(VEC4, V_AT, AT), LOAD(VEC4, V_COLOUR, COLOUR), LOAD(VEC2, V_PLACE, PLACE),
    STORE(POINT, V_AT), STORE(LIGHT, V_COLOUR), STORE(TEXEL, V_PLACE), RETURN, FUNCTION_END,
};

/* in vec4 COLOUR; in vec2 PLACE; sampler2D TEXTURE; LIGHT = COLOUR * texture(TEXTURE, PLACE) */
static const uint32_t fragment_shader[] = {
    HEADER(BOUND), CAPABILITY(SHADER), MEMORY_MODEL(LOGICAL, GLSL450),
    OP(8, 15), FRAGMENT, MAIN, NAME_MAIN, COLOUR, PLACE, LIGHT,
    EXECUTION_MODE(MAIN, ORIGIN_UPPER_LEFT),
    DECORATE(COLOUR, LOCATION, 0), DECORATE(PLACE, LOCATION, 1), DECORATE(LIGHT, LOCATION, 0),
    DECORATE(TEXTURE, SET, 0), DECORATE(TEXTURE, BINDING, 0),
    TYPES, TYPE_IMAGE(IMAGE, FLOAT), TYPE_SAMPLED_IMAGE(SAMPLED, IMAGE), TYPE_POINTER(TO_SAMPLED, CONSTANT, SAMPLED),
    VARIABLE(IN4, COLOUR, INPUT), VARIABLE(IN2, PLACE, INPUT), VARIABLE(OUT4, LIGHT, OUTPUT),
    VARIABLE(TO_SAMPLED, TEXTURE, CONSTANT),
    FUNCTION(VOID, MAIN, 0, CALL), LABEL(ENTRY),
    LOAD(VEC4, V_COLOUR, COLOUR), LOAD(VEC2, V_PLACE, PLACE), LOAD(SAMPLED, V_TEXTURE, TEXTURE),
    SAMPLE(VEC4, V_SAMPLE, V_TEXTURE, V_PLACE), MULTIPLY(VEC4, V_RESULT, V_COLOUR, V_SAMPLE),
    STORE(LIGHT, V_RESULT), RETURN, FUNCTION_END,
};
#endif
