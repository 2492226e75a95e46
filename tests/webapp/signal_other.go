//go:build !unix

package webapp

import "os"

func freeze(*os.Process) (bool, error) { return false, nil }

func thaw(*os.Process) (bool, error) { return false, nil }
