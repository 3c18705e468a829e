/*
 * The two shaders of vk_draw in SPIR-V 1.0, written instruction by instruction: a colour with each vertex, which is
 * interpolated. The first word of an instruction has its length in words above its number (SPIR-V specification, "Physical
 * Layout of a SPIR-V Module and Instruction"; the numbers are of its section "Instructions").
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
#define TYPE_FUNCTION(id, result) OP(3, 33), id, result
#define TYPE_FLOAT(id, bits) OP(3, 22), id, bits
#define TYPE_VECTOR(id, component, count) OP(4, 23), id, component, count
#define TYPE_POINTER(id, storage, type) OP(4, 32), id, storage, type
#define VARIABLE(type, id, storage) OP(4, 59), type, id, storage
#define FUNCTION(result, id, control, type) OP(5, 54), result, id, control, type
#define LABEL(id) OP(2, 248), id
#define LOAD(type, id, pointer) OP(4, 61), type, id, pointer
#define STORE(pointer, value) OP(3, 62), pointer, value
#define RETURN OP(1, 253)
#define FUNCTION_END OP(1, 56)
#define NAME_MAIN 0x6e69616d, 0 /* "main", little-endian, with its end */

enum { SHADER = 1, LOGICAL = 0, GLSL450 = 1, VERTEX = 0, FRAGMENT = 4, INPUT = 1, OUTPUT = 3, LOCATION = 30, BUILTIN = 11,
       POSITION = 0, ORIGIN_UPPER_LEFT = 7 };

enum { MAIN = 1, VOID, CALL, FLOAT, VEC4, TO_INPUT, TO_OUTPUT, AT, COLOUR, PLACE, OUT, ENTRY, V_AT, V_COLOUR, BOUND };

#define TYPES                                                                                                          \
	TYPE_VOID(VOID), TYPE_FUNCTION(CALL, VOID), TYPE_FLOAT(FLOAT, 32), TYPE_VECTOR(VEC4, FLOAT, 4),                \
		TYPE_POINTER(TO_INPUT, INPUT, VEC4), TYPE_POINTER(TO_OUTPUT, OUTPUT, VEC4)

/* in vec4 AT, COLOUR; gl_Position = AT; OUT = COLOUR */
static const uint32_t vertex_shader[] = {
	HEADER(BOUND), CAPABILITY(SHADER), MEMORY_MODEL(LOGICAL, GLSL450),
	OP(9, 15), VERTEX, MAIN, NAME_MAIN, AT, COLOUR, PLACE, OUT,
	DECORATE(AT, LOCATION, 0), DECORATE(COLOUR, LOCATION, 1), DECORATE(PLACE, BUILTIN, POSITION), DECORATE(OUT, LOCATION, 0),
	TYPES, VARIABLE(TO_INPUT, AT, INPUT), VARIABLE(TO_INPUT, COLOUR, INPUT), VARIABLE(TO_OUTPUT, PLACE, OUTPUT),
	VARIABLE(TO_OUTPUT, OUT, OUTPUT),
	FUNCTION(VOID, MAIN, 0, CALL), LABEL(ENTRY), LOAD(VEC4, V_AT, AT), LOAD(VEC4, V_COLOUR, COLOUR),
	STORE(PLACE, V_AT), STORE(OUT, V_COLOUR), RETURN, FUNCTION_END,
};

/* in vec4 COLOUR; OUT = COLOUR */
static const uint32_t fragment_shader[] = {
	HEADER(BOUND), CAPABILITY(SHADER), MEMORY_MODEL(LOGICAL, GLSL450),
	OP(7, 15), FRAGMENT, MAIN, NAME_MAIN, COLOUR, OUT,
	EXECUTION_MODE(MAIN, ORIGIN_UPPER_LEFT),
	DECORATE(COLOUR, LOCATION, 0), DECORATE(OUT, LOCATION, 0),
	TYPES, VARIABLE(TO_INPUT, COLOUR, INPUT), VARIABLE(TO_OUTPUT, OUT, OUTPUT),
	FUNCTION(VOID, MAIN, 0, CALL), LABEL(ENTRY), LOAD(VEC4, V_COLOUR, COLOUR), STORE(OUT, V_COLOUR), RETURN, FUNCTION_END,
};
#endif
