package boltstore

import "errors"

var (
	// ErrInUse says that the file is open elsewhere: in another process, or a second time in this one. One driver at a
	// time can use a file. Close the other, or give each its own file.
	ErrInUse = errors.New("boltstore: the file is in use by another process, or opened twice in this one")

	// ErrClosed is what every operation returns after Close.
	ErrClosed = errors.New("boltstore: the driver is closed")

	// ErrNotDatabase says that the file is not a bbolt database, or is one that was damaged or cut short.
	ErrNotDatabase = errors.New("boltstore: the file is not a bbolt database, or it is damaged")
)
