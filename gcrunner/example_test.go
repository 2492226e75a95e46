package gcrunner_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func Example() {
	ctx := context.Background()
	driver := memory.New() // or dynamostore.NewDriver, or boltstore.OpenDriver
	for name, left := range map[string]time.Duration{
		"expired": -2 * time.Hour, "just expired": -time.Minute,
		"live": time.Hour,
	} {
		record := storage.Record{
			Key: name, Version: storage.NewVersion(),
			UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(left),
		}
		if err := driver.Put(ctx, record, storage.Always()); err != nil {
			fmt.Println(err)
		}
	}

	collector, err := gcrunner.NewCollector(driver,
		gcrunner.Rules{Expired: true, Grace: time.Hour, MaxAge: 30 * 24 * time.Hour},
		gcrunner.CollectorOptions{
			Budget: gcrunner.Budget{ReadUnits: 50, WriteUnits: 25},
			Limits: gcrunner.Limits{Duration: 10 * time.Minute},
		})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := collector.Run(ctx)
	fmt.Println(report.Stopped, err)
	fmt.Println("scanned", report.Scanned, "deleted", report.Deleted.Expired)
	// Output:
	// completed <nil>
	// scanned 3 deleted 1
}

// Replicas that collect again and again elect one of them, which stays elected from run to run.
func ExampleElection_Lead() {
	driver := memory.New()
	collector, err := gcrunner.NewCollector(driver, gcrunner.Rules{Expired: true}, gcrunner.CollectorOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	election, err := gcrunner.NewElection(driver, 15*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	err = election.Lead(ctx, func(ctx context.Context) error {
		for range 3 { // until ctx ends
			if _, err := collector.Run(ctx); err != nil {
				return err
			}
			// Wait for the next run here.
		}
		return nil
	})
	if errors.Is(err, gcrunner.ErrNotElected) {
		fmt.Println("try again later")
	}
	fmt.Println(err)
	// Output: <nil>
}
