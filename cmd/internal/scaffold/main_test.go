package scaffold_test

import (
	"os"

	"github.com/scsdynamo/scsdynamo/tests/configtest"
)

// packageDir is where the golden files are.
var packageDir = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return dir
}()

// What the tests of configurations share.
var (
	load, mustLoad, write, withFile = configtest.Load, configtest.MustLoad, configtest.Write, configtest.WithFile
	golden, storageKey              = configtest.Golden, configtest.StorageKey
)

// marker is what no output may have in it.
const marker = "WMarkerQ"

const (
	secretA = marker + "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3"
	secretB = marker + "PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWc"
)
