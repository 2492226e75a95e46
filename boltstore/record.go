package boltstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// A record is stored under its key as a fixed header and four strings of bytes, all integers big-endian:
//
//	offset  bytes
//	     0      1  format, 1
//	     1      4  CRC-32C of everything after it; bbolt itself does not check its data pages
//	     5     12  created at: seconds since 1970 (signed 64 bits), nanoseconds (32 bits)
//	    17     12  updated at
//	    29     12  expires at
//	    41     12  lease ends at
//	    53      8  lease duration in nanoseconds (signed)
//	    61      2  length of the version
//	    63      2  length of the lease's id
//	    65      2  length of the ancestry
//	    67      4  length of the payload
//	    71         version, lease id, ancestry, payload
const (
	formatVersion = 1
	checkedFrom   = 5
	headerSize    = 71
)

// maxRecord is the most one encoded record can take. It is far beyond any session, and keeps a mistake from filling the
// memory with one transaction.
const maxRecord = 16 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeRecord returns the stored form of the record, without its key. The result shares no memory with the record.
func encodeRecord(record storage.Record) ([]byte, error) {
	texts := [...]string{record.Version, record.Lease.ID, record.Ancestry}
	size := headerSize + len(record.Data)
	for _, text := range texts {
		if len(text) > math.MaxUint16 {
			return nil, fmt.Errorf("boltstore: a version, lease id or ancestry of more than %d bytes", math.MaxUint16)
		}
		size += len(text)
	}
	if size > maxRecord {
		return nil, &storage.TooLargeError{Size: size, Limit: maxRecord}
	}
	value := make([]byte, 0, size)
	value = append(value, formatVersion, 0, 0, 0, 0)
	for _, instant := range [...]time.Time{record.CreatedAt, record.UpdatedAt, record.ExpiresAt, record.Lease.ExpiresAt} {
		value = appendInstant(value, instant)
	}
	//nolint:gosec // Two's complement is meant.
	value = binary.BigEndian.AppendUint64(value, uint64(record.Lease.Duration))
	for _, text := range texts {
		value = binary.BigEndian.AppendUint16(value, uint16(len(text))) //nolint:gosec // Checked above.
	}
	value = binary.BigEndian.AppendUint32(value, uint32(len(record.Data))) //nolint:gosec // At most maxRecord.
	for _, text := range texts {
		value = append(value, text...)
	}
	value = append(value, record.Data...)
	binary.BigEndian.PutUint32(value[1:], crc32.Checksum(value[checkedFrom:], castagnoli))
	return value, nil
}

// decodeRecord reads what encodeRecord wrote. The payload shares memory with value. Whatever the bytes are, the result
// is the record or a *storage.CorruptError.
func decodeRecord(key string, value []byte) (storage.Record, error) {
	switch {
	case len(value) == 0:
		return storage.Record{}, corrupt("is empty")
	case value[0] != formatVersion:
		return storage.Record{}, corrupt(fmt.Sprintf("has format %d; this program reads format %d", value[0], formatVersion))
	case len(value) < headerSize:
		return storage.Record{}, corrupt("is cut short")
	case binary.BigEndian.Uint32(value[1:]) != crc32.Checksum(value[checkedFrom:], castagnoli):
		return storage.Record{}, corrupt("does not match its checksum")
	}
	versionEnd := headerSize + int(binary.BigEndian.Uint16(value[61:]))
	leaseEnd := versionEnd + int(binary.BigEndian.Uint16(value[63:]))
	ancestryEnd := leaseEnd + int(binary.BigEndian.Uint16(value[65:]))
	if int64(len(value)) != int64(ancestryEnd)+int64(binary.BigEndian.Uint32(value[67:])) {
		return storage.Record{}, corrupt("has another length than its header says")
	}
	return storage.Record{
		Key:       key,
		Version:   string(value[headerSize:versionEnd]),
		Ancestry:  string(value[leaseEnd:ancestryEnd]),
		Data:      value[ancestryEnd:],
		CreatedAt: instant(value[5:]),
		UpdatedAt: instant(value[17:]),
		ExpiresAt: instant(value[29:]),
		Lease: storage.Lease{
			ID:        string(value[versionEnd:leaseEnd]),
			ExpiresAt: instant(value[41:]),
			Duration:  time.Duration(binary.BigEndian.Uint64(value[53:])), //nolint:gosec // Two's complement is meant.
		},
	}, nil
}

func corrupt(problem string) error {
	return &storage.CorruptError{Part: "the stored value", Problem: problem}
}

// instantSize is the size of a stored instant. Seconds since 1970 in 64 bits hold every year that the contract asks
// for, which nanoseconds since 1970 would not.
const instantSize = 12

func appendInstant(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))          //nolint:gosec // Two's complement is meant.
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond())) //nolint:gosec // Less than a billion.
}

func instant(b []byte) time.Time {
	seconds := int64(binary.BigEndian.Uint64(b)) //nolint:gosec // Two's complement is meant.
	return time.Unix(seconds, int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}
