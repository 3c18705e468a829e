/* cf{get,set}{i,o,}speed as of glibc 2.42, where speed_t is the number of bits per second; the versions before have the
 * kernel's codes (capsule/reversioned.go). What the functions do is then the same as for baud_t. */
#include <termios.h>

#include "polyfill.h"

#define BAUD_FUNCTION(type, name, arguments) type name arguments __asm__("polyfill$" #name)

BAUD_FUNCTION(unsigned, cfgetibaud, (const struct termios *));
BAUD_FUNCTION(unsigned, cfgetobaud, (const struct termios *));
BAUD_FUNCTION(int, cfsetibaud, (struct termios *, unsigned));
BAUD_FUNCTION(int, cfsetobaud, (struct termios *, unsigned));
BAUD_FUNCTION(int, cfsetbaud, (struct termios *, unsigned));

CAPSULE_POLYFILL(unsigned, cfgetispeed, (const struct termios *settings))
{
    return cfgetibaud(settings);
}

CAPSULE_POLYFILL(unsigned, cfgetospeed, (const struct termios *settings))
{
    return cfgetobaud(settings);
}

CAPSULE_POLYFILL(int, cfsetispeed, (struct termios * settings, unsigned speed))
{
    return cfsetibaud(settings, speed);
}

CAPSULE_POLYFILL(int, cfsetospeed, (struct termios * settings, unsigned speed))
{
    return cfsetobaud(settings, speed);
}

CAPSULE_POLYFILL(int, cfsetspeed, (struct termios * settings, unsigned speed))
{
    return cfsetbaud(settings, speed);
}
