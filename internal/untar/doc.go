// Package untar unpacks tar archives, and the layers of an image one over the other, into a
// directory. It exists because an archive is hostile: its links may change between any two of its
// entries, and a name that is resolved twice leads to two places.
//
// So each entry's parent is found once, name by name below a descriptor of the directory, and stays
// a descriptor: all that is done for the entry is done relative to it and follows no link. Nothing
// outside of the directory is opened, made, removed or changed. Nobody else may write to the
// directory meanwhile.
//
// The files are those of the user who unpacks, whose owners an archive has: no owner is changed, no
// device node is made (an empty file stands for it), and of extended attributes only a user's own
// (user.*) are kept, for a capability or an access list is about users of another machine. A mark
// of a layer (OCI image-spec, layer.md, "Whiteouts") takes away what layers below it have; in the
// first one it takes away nothing.
package untar
