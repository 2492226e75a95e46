package memory_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// A write says what must be true of what is stored. Where it is not, nothing is written, and the writer gets what is
// there.
func Example() {
	ctx, now := context.Background(), time.Now()
	driver := memory.New()
	record := storage.Record{
		Key: "key", Data: []byte("first"), Version: storage.NewVersion(), UpdatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	fmt.Println(driver.Put(ctx, record, storage.IfAbsent(now)))

	read := record.Version
	record.Data, record.Version = []byte("second"), storage.NewVersion()
	fmt.Println(driver.Put(ctx, record, storage.IfVersion(read, now)))

	record.Data, record.Version = []byte("too late"), storage.NewVersion()
	err := driver.Put(ctx, record, storage.IfVersion(read, now))
	var conflict *storage.ConflictError
	if errors.As(err, &conflict) {
		fmt.Printf("%s is in the way\n", conflict.Current.Data)
	}
	// Output:
	// <nil>
	// <nil>
	// second is in the way
}
