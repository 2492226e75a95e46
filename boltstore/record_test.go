package boltstore_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// fullRecord has every field set.
func fullRecord() storage.Record {
	r := record("key", "payload \x00\xff")
	r.CreatedAt = time.Date(1, time.January, 1, 0, 0, 0, 1, time.UTC)
	r.UpdatedAt = time.Date(1969, time.December, 31, 23, 59, 59, 999_999_999, time.UTC)
	r.ExpiresAt = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC)
	r.Ancestry = "ancestry"
	r.Lease = storage.Lease{ID: "lease", Duration: -time.Nanosecond, ExpiresAt: r.ExpiresAt.Add(-1)}
	return r
}

func encoded(t testing.TB, r storage.Record) []byte {
	t.Helper()
	value, err := boltstore.EncodeRecord(r)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return value
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	empty := storage.Record{Key: "key"}
	for name, want := range map[string]storage.Record{"full": fullRecord(), "empty": empty} {
		seen, err := boltstore.DecodeRecord(want.Key, encoded(t, want))
		if err != nil {
			t.Fatalf("%s: decode: %v", name, err)
		}
		if !bytes.Equal(seen.Data, want.Data) {
			t.Errorf("%s: another payload", name)
		}
		seen.Data, want.Data = nil, nil
		for _, instants := range [][2]time.Time{
			{seen.CreatedAt, want.CreatedAt},
			{seen.UpdatedAt, want.UpdatedAt},
			{seen.ExpiresAt, want.ExpiresAt},
			{seen.Lease.ExpiresAt, want.Lease.ExpiresAt},
		} {
			if !instants[0].Equal(instants[1]) || instants[0].IsZero() != instants[1].IsZero() {
				t.Errorf("%s: an instant %v instead of %v", name, instants[0], instants[1])
			}
		}
		if seen.Key != want.Key || seen.Version != want.Version || seen.Ancestry != want.Ancestry ||
			seen.Lease.ID != want.Lease.ID ||
			seen.Lease.Duration != want.Lease.Duration {
			t.Errorf("%s: another record", name)
		}
	}
}

// TestRecordFormat pins the format: a file that an older version wrote must stay readable.
func TestRecordFormat(t *testing.T) {
	t.Parallel()
	value := encoded(t, storage.Record{
		Data: []byte("DATA"), Version: "VER", Ancestry: "AN",
		Lease:     storage.Lease{ID: "L", Duration: 2, ExpiresAt: time.Unix(4, 5)},
		CreatedAt: time.Unix(1, 6), UpdatedAt: time.Unix(2, 7), ExpiresAt: time.Unix(-1, 8),
	})
	want := slices.Concat(
		[]byte{1}, value[1:5],
		[]byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 6},
		[]byte{0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 7},
		[]byte{255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 8},
		[]byte{0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5},
		[]byte{0, 0, 0, 0, 0, 0, 0, 2},
		[]byte{0, 3}, []byte{0, 1}, []byte{0, 2}, []byte{0, 0, 0, 4},
		[]byte("VERLANDATA"),
	)
	if !bytes.Equal(value, want) {
		t.Errorf("encoded as\n%v\nand not as\n%v", value, want)
	}
}

func TestDamagedRecordIsCorruptError(t *testing.T) {
	t.Parallel()
	good := encoded(t, fullRecord())
	check := func(name string, value []byte) {
		t.Helper()
		var corrupt *storage.CorruptError
		if _, err := boltstore.DecodeRecord("key", value); !errors.As(err, &corrupt) {
			t.Errorf("%s: %v is no *storage.CorruptError", name, err)
		}
	}
	for i := range good {
		check("cut short", good[:i])
		damaged := bytes.Clone(good)
		damaged[i] ^= 0x10
		check("a bit turned", damaged)
	}
	check("longer", append(bytes.Clone(good), 0))
	check("nil", nil)
}

func TestOversizedRecord(t *testing.T) {
	t.Parallel()
	r := record("key", "")
	r.Data = make([]byte, boltstore.MaxRecord)
	var tooLarge *storage.TooLargeError
	if _, err := boltstore.EncodeRecord(r); !errors.As(err, &tooLarge) {
		t.Errorf("a payload of %d bytes: %v", len(r.Data), err)
	}
	long := strings.Repeat("v", 1<<16)
	for name, alter := range map[string]func(*storage.Record){
		"version":  func(r *storage.Record) { r.Version = long },
		"lease id": func(r *storage.Record) { r.Lease.ID = long },
		"ancestry": func(r *storage.Record) { r.Ancestry = long },
	} {
		r := record("key", "")
		alter(&r)
		if _, err := boltstore.EncodeRecord(r); err == nil {
			t.Errorf("a %s whose length does not fit was encoded", name)
		}
	}
}

// FuzzDecodeRecord feeds the decoder anything. It must not panic, must report what it cannot read as corrupt, and must
// read nothing but what the encoder writes.
func FuzzDecodeRecord(f *testing.F) {
	good := encoded(f, fullRecord())
	f.Add([]byte(nil))
	f.Add([]byte{1})
	f.Add([]byte("not a record"))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(encoded(f, storage.Record{}))
	f.Add(append(bytes.Clone(good[:61]), bytes.Repeat([]byte{0xff}, 8)...))
	f.Fuzz(func(t *testing.T, value []byte) {
		// With a right checksum, or the fuzzer would hardly ever get past it.
		for _, value := range [][]byte{value, boltstore.Checksummed(value)} {
			r, err := boltstore.DecodeRecord("key", value)
			if err != nil {
				if !errors.Is(err, storage.ErrCorrupt) {
					t.Fatalf("%v does not match ErrCorrupt", err)
				}
				continue
			}
			again, err := boltstore.EncodeRecord(r)
			if err != nil {
				t.Fatalf("encode what was decoded: %v", err)
			}
			if len(again) != len(value) {
				t.Fatalf("%d bytes were decoded to what is encoded as %d", len(value), len(again))
			}
		}
	})
}
