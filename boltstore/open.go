package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// OpenDriver opens the bbolt file at path, and creates it with mode 0600 if it does not exist. The directory must
// exist.
//
// The error matches [ErrInUse] if another process has the file open, [ErrNotDatabase] if the file is not a bbolt
// database or is damaged, [ErrFull] if there is no room for it, [ErrReadOnly] if this user must not write to it, and an
// error of io/fs if the path is wrong. Everything that is wrong with the options is reported at once. The caller must
// Close the driver.
func OpenDriver(path string, opts ...DriverOption) (*Driver, error) {
	o, err := newOptions(opts)
	if path == "" {
		err = errors.Join(errors.New("boltstore: the path is empty; name the file to keep sessions in"), err)
	}
	if err != nil {
		return nil, err
	}
	db, err := openFile(path, o)
	if err != nil {
		return nil, explain(path, err)
	}
	return &Driver{
		db: db,
		writes: &committer{
			db:     db,
			grace:  o.grace,
			clock:  o.clock,
			commit: (*bolt.Tx).Commit,
			turn:   make(chan struct{}, 1),
		},
	}, nil
}

// openFile returns the open database with its buckets.
func openFile(path string, o options) (db *bolt.DB, err error) {
	if err := checkLength(path, o); err != nil {
		return nil, err
	}
	defer func() {
		if damage := recover(); damage != nil {
			err = ErrNotDatabase // bbolt panics over a page that cannot be.
		}
		if err != nil && db != nil {
			err = errors.Join(err, db.Close())
			db = nil
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout:      o.lockTimeout,
		FreelistType: bolt.FreelistMapType, // The array type becomes slow in a large file with many free pages.
		NoStatistics: true,
	})
	if err != nil {
		return nil, err
	}
	if err := db.Update(createTables); err != nil {
		return db, err
	}
	return db, syncDirectory(filepath.Dir(path))
}

// checkLength returns ErrNotDatabase for a file that was cut short. bbolt maps files to memory: the first access to a
// page that is missing would end the program. Opened for reading only, a file is not looked into beyond its first
// pages.
func checkLength(path string, o options) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && info.Size() == 0) {
		return nil // It will be made.
	}
	if err != nil {
		return err
	}
	db, err := bolt.Open(path, 0, &bolt.Options{Timeout: o.lockTimeout, ReadOnly: true, NoStatistics: true})
	if err != nil {
		return err
	}
	err = db.View(func(tx *bolt.Tx) error {
		info, err := os.Stat(path) // Again: before it was locked, another process may have made it grow.
		if err == nil && info.Size() < tx.Size() {
			err = ErrNotDatabase
		}
		return err
	})
	return errors.Join(err, db.Close())
}

// syncDirectory makes the name of a new file survive a crash of the machine, as syncing the file does for its content.
func syncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows has no such thing.
	}
	directory, err := os.Open(path) //nolint:gosec // It is the directory of the file that the caller names.
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// smallestFile is the size of a new bbolt file: four pages of the smallest size.
const smallestFile = 4 * 4096

// explain makes the error of opening path say what to do about it.
func explain(path string, err error) error {
	info, statErr := os.Stat(path)
	exists := statErr == nil
	directory := filepath.Dir(path)
	var pathError *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return engineError(path, err)
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: %s; close the other, or give each its own file", ErrInUse, path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("boltstore: the directory %s does not exist; create it first: %w", directory, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: this user needs the right to read and write %s, and to create it in %s where it is not: %w",
			ErrReadOnly, path, directory, err)
	case exists && info.IsDir():
		return fmt.Errorf("boltstore: %s is a directory; name a file in it: %w", path, err)
	case errors.Is(err, ErrNotDatabase),
		errors.Is(err, bolterrors.ErrInvalid),
		errors.Is(err, bolterrors.ErrVersionMismatch),
		errors.Is(err, bolterrors.ErrChecksum),
		exists && info.Size() < smallestFile && !errors.As(err, &pathError): // bbolt has no type for this one.
		return fmt.Errorf("%w: %s; name another file, restore a backup, or move this one away to start empty",
			ErrNotDatabase, path)
	default:
		return fmt.Errorf("boltstore: open %s: %w", path, err)
	}
}
