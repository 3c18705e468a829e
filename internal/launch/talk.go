package launch

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// What goes over the socket between launcher and init, each a record of a kind and a number.
const (
	goOn        = 'g' // to init: the game may start
	reachedExec = 'x' // from init: what follows, if anything, is why execve failed
	failedMark  = 'e' // from init, in front of an encoded Error; the number is its length in bytes

	// With process 1 of a PID namespace, which stays:
	running = 'r' // from it: the game runs; its process id, inside
	stop    = 's' // from it: the game has been stopped, for which time and by which signal
	ended   = 'z' // from it: the game has ended, with which exit status
	stands  = 't' // from it, as the answer to ask: 1 or 0
	late    = 'l' // from it, perhaps before that: which signal came when the game had ended
	pass    = 'k' // to it: send the game a signal; with a number other than 0 it has had that, and only its end matters
	ask     = 'a' // to it: is the game in the stop of that number, when all that was told before is done
	resume  = 'c' // to it: continue the game, unless it has been stopped again since the stop of that number
)

const (
	recordSize = 1 + 4
	maxError   = 1 << 20 // bytes of an encoded Error
)

type record struct {
	kind  byte
	value int
}

// tell writes a record, and says whether it could. It does not wait for a reader that has stopped.
func tell(sock int, kind byte, value int) bool {
	b := append(make([]byte, 0, recordSize), kind)
	b = binary.NativeEndian.AppendUint32(b, uint32(value))
	for {
		// Records are so small that one is written whole or not at all.
		n, err := unix.SendmsgN(sock, b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return n == recordSize
		}
	}
}

// hear reads a record; false says that the other end is gone.
func hear(sock int) (record, bool) {
	var b [recordSize]byte
	for n := 0; n < recordSize; {
		got, err := unix.Read(sock, b[n:])
		if err == unix.EINTR {
			continue
		}
		if got <= 0 {
			return record{}, false
		}
		n += got
	}
	return record{b[0], int(binary.NativeEndian.Uint32(b[1:]))}, true
}

// hungUp says whether the other end is gone, whatever it has written before.
func hungUp(sock int) bool {
	fds := []unix.PollFd{{Fd: int32(sock)}} // POLLHUP needs not be asked for
	_, err := unix.Poll(fds, 0)
	return err == nil && fds[0].Revents&unix.POLLHUP != 0
}
