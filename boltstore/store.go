package boltstore

import (
	"errors"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// Open returns a session store over the bbolt file at path, and creates the file if it does not exist. The options are
// those of the store; for those of the driver, pass the result of [OpenDriver] to sessionstore.New. Errors are those of
// OpenDriver, and what is wrong with the options. Closing the store closes the file.
func Open(path string, opts ...sessionstore.Option) (*sessionstore.Store, error) {
	driver, err := OpenDriver(path)
	if err != nil {
		return nil, err
	}
	store, err := sessionstore.New(driver, opts...)
	if err != nil {
		return nil, errors.Join(err, driver.Close())
	}
	return store, nil
}
