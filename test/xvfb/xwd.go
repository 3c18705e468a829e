package xvfb

import (
	"encoding/binary"
	"fmt"
	"image"
	"os/exec"
)

// The header of an X window dump, version 7 (X11/XWDFile.h): 25 big-endian 32-bit words, then the window's
// name, the colour map of 12-byte entries, and the lines of pixels. Those fields which matter here:
//
//	word  0  header_size      bytes, the window's name included
//	word  1  file_version     7
//	word  2  pixmap_format    2 = ZPixmap
//	word  4  pixmap_width     pixels
//	word  5  pixmap_height    pixels
//	word  7  byte_order       of a pixel; 0 = least significant byte first
//	word 11  bits_per_pixel
//	word 12  bytes_per_line
//	words 14, 15, 16          red, green and blue masks
//	word 19  ncolors          entries of the colour map in the file
const (
	xwdWords     = 25
	xwdVersion   = 7
	xwdZPixmap   = 2
	xwdColorSize = 12
)

func decodeXWD(data []byte) (image.Image, error) {
	if len(data) < xwdWords*4 {
		return nil, fmt.Errorf("window dump is %d bytes, shorter than its header", len(data))
	}
	word := func(i int) uint32 { return binary.BigEndian.Uint32(data[i*4:]) }
	header, colors := uint64(word(0)), uint64(word(19))
	width, height, stride := uint64(word(4)), uint64(word(5)), uint64(word(12))
	switch {
	case word(1) != xwdVersion || word(2) != xwdZPixmap:
		return nil, fmt.Errorf("window dump has version %d and format %d, not %d and %d", word(1), word(2), xwdVersion, xwdZPixmap)
	case word(11) != 32 || word(14) != 0xff0000 || word(15) != 0xff00 || word(16) != 0xff:
		return nil, fmt.Errorf("window dump has %d bits a pixel and masks %x %x %x, not 32 bits of RGB",
			word(11), word(14), word(15), word(16))
	}
	begin := header + colors*xwdColorSize
	// Each factor is below 2^32 and width is bounded by stride, so no product here can wrap.
	if width == 0 || height == 0 || width*4 > stride || begin+stride*height > uint64(len(data)) {
		return nil, fmt.Errorf("window dump of %d bytes cannot hold %d×%d pixels", len(data), width, height)
	}
	var order binary.ByteOrder = binary.BigEndian
	if word(7) == 0 {
		order = binary.LittleEndian
	}
	img := image.NewRGBA(image.Rect(0, 0, int(width), int(height)))
	for y := range height {
		line := data[begin+y*stride:]
		out := img.Pix[int(y)*img.Stride:]
		for x := range width {
			p := order.Uint32(line[x*4:])
			out[x*4], out[x*4+1], out[x*4+2], out[x*4+3] = byte(p>>16), byte(p>>8), byte(p), 0xff
		}
	}
	return img, nil
}

// Window takes the picture of a window by its name, on the display of the environment, whichever server that is. It asks
// xwd(1), since only a server of our own shows its frame buffer as a file.
func Window(name string) (image.Image, error) {
	dump, err := exec.Command("xwd", "-silent", "-name", name).Output()
	if err != nil {
		return nil, fmt.Errorf("take the window %q with xwd: %w", name, err)
	}
	return decodeXWD(dump)
}
