/* Line speeds as numbers of bit per second (glibc 2.42). Up to 2.41 speed_t was an index (B9600 is 13), which the
 * runtime's tcgetattr also stores in c_ispeed and c_ospeed, and the only thing its tcsetattr passes on is c_cflag:
 * a speed outside the table is kept in *settings, but not set. */
#include <termios.h>

#include "polyfill.h"

#define OTHER CBAUDEX /* BOTHER: the speed is in c_ispeed or c_ospeed */
#define INPUT_SHIFT 16 /* IBSHIFT */

static const struct {
    unsigned baud;
    tcflag_t code;
} speeds[] = {
    {0, B0},           {50, B50},         {75, B75},           {110, B110},         {134, B134},
    {150, B150},       {200, B200},       {300, B300},         {600, B600},         {1200, B1200},
    {1800, B1800},     {2400, B2400},     {4800, B4800},       {9600, B9600},       {19200, B19200},
    {38400, B38400},   {57600, B57600},   {115200, B115200},   {230400, B230400},   {460800, B460800},
    {500000, B500000}, {576000, B576000}, {921600, B921600},   {1000000, B1000000}, {1152000, B1152000},
    {1500000, B1500000}, {2000000, B2000000}, {2500000, B2500000}, {3000000, B3000000}, {3500000, B3500000},
    {4000000, B4000000},
};
#define SPEED_COUNT (sizeof speeds / sizeof speeds[0])

static tcflag_t code_of(unsigned baud)
{
    for (size_t i = 0; i < SPEED_COUNT; i++)
        if (speeds[i].baud == baud)
            return speeds[i].code;
    return OTHER;
}

static unsigned baud_of(tcflag_t code, unsigned other)
{
    if (code != OTHER)
        for (size_t i = 0; i < SPEED_COUNT; i++)
            if (speeds[i].code == code)
                return speeds[i].baud;
    return other;
}

CAPSULE_POLYFILL(unsigned, cfgetobaud, (const struct termios *settings))
{
    return baud_of(settings->c_cflag & CBAUD, settings->c_ospeed);
}

/* Without an input speed in c_cflag it is the output's, unless cfsetibaud(…, 0) said 0. */
CAPSULE_POLYFILL(unsigned, cfgetibaud, (const struct termios *settings))
{
    tcflag_t code = settings->c_cflag >> INPUT_SHIFT & CBAUD;
    if (code == B0)
        return settings->c_ispeed ? polyfill_cfgetobaud(settings) : 0;
    return baud_of(code, settings->c_ispeed);
}

CAPSULE_POLYFILL(int, cfsetobaud, (struct termios * settings, unsigned baud))
{
    settings->c_ospeed = baud;
    settings->c_cflag = (settings->c_cflag & ~(tcflag_t)CBAUD) | code_of(baud);
    return 0;
}

CAPSULE_POLYFILL(int, cfsetibaud, (struct termios * settings, unsigned baud))
{
    settings->c_ispeed = baud;
    settings->c_cflag = (settings->c_cflag & ~((tcflag_t)CBAUD << INPUT_SHIFT)) | code_of(baud) << INPUT_SHIFT;
    return 0;
}

CAPSULE_POLYFILL(int, cfsetbaud, (struct termios * settings, unsigned baud))
{
    polyfill_cfsetibaud(settings, baud);
    return polyfill_cfsetobaud(settings, baud);
}
