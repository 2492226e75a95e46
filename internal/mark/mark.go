// Package mark puts a mark on records: text behind what is drawn of their version. It says whose a record is among
// those who share a key space, and is known wherever the version is. Who writes a record again keeps its mark.
package mark

import (
	"strings"

	"github.com/scsdynamo/scsdynamo/storage"
)

// separator is between a version and its mark.
const separator = "."

// Of returns the mark of the record, empty where it has none.
func Of(r storage.Record) string {
	_, mark, _ := strings.Cut(r.Version, separator)
	return mark
}

// NewVersion is [storage.NewVersion] with a mark. An empty one is none.
func NewVersion(mark string) string {
	if mark == "" {
		return storage.NewVersion()
	}
	return storage.NewVersion() + separator + mark
}
