package boltstore_test

import (
	"fmt"
	"testing"

	"github.com/scsdynamo/scsdynamo/storage"
)

// TestPageIsBounded fills a file with more than a page holds, by bytes and by number.
func TestPageIsBounded(t *testing.T) {
	t.Parallel()
	const (
		records  = 40
		size     = 100_000
		mostPage = 1 << 20
	)
	driver := open(t)
	for i := range records {
		put(t, driver, record(fmt.Sprint("key ", i), string(make([]byte, size))))
	}
	put(t, driver, record("larger than a page", string(make([]byte, 2*mostPage))))
	for _, limit := range []int{0, 1_000_000} {
		request := storage.ScanRequest{Limit: limit}
		seen, pages := 0, 0
		for {
			page, err := driver.Scan(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			bytes := 0
			for _, r := range page.Records {
				bytes += len(r.Data)
			}
			if len(page.Records) > 1 && bytes > mostPage {
				t.Errorf("a page of %d records has %d bytes", len(page.Records), bytes)
			}
			seen += len(page.Records)
			pages++
			if page.Next == "" {
				break
			}
			request.Start = page.Next
		}
		if seen != records+1 || pages > 8 {
			t.Errorf("limit %d: %d records in %d pages", limit, seen, pages)
		}
	}
}

func TestForeignPosition(t *testing.T) {
	t.Parallel()
	driver := open(t)
	if _, err := driver.Scan(t.Context(), storage.ScanRequest{Start: "not a position!"}); err == nil {
		t.Error("no error")
	}
}

// TestPositionOfDeletedRecord resumes a scan after a record that is no longer there.
func TestPositionOfDeletedRecord(t *testing.T) {
	t.Parallel()
	driver := open(t)
	for _, key := range []string{"a", "b", "c"} {
		put(t, driver, record(key, "data"))
	}
	page, err := driver.Scan(t.Context(), storage.ScanRequest{Limit: 2})
	if err != nil || len(page.Records) != 2 {
		t.Fatalf("%d records, error %v", len(page.Records), err)
	}
	if err := driver.Delete(t.Context(), "b", storage.Always()); err != nil {
		t.Fatal(err)
	}
	page, err = driver.Scan(t.Context(), storage.ScanRequest{Start: page.Next})
	if err != nil || len(page.Records) != 1 || page.Records[0].Key != "c" || page.Next != "" {
		t.Errorf("%d records, error %v, more: %v", len(page.Records), err, page.Next != "")
	}
}
