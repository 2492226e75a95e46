package config_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/scsdynamo/scsdynamo/config"
)

// A file, a variable that wins over it, and code that wins over both. Programs call Load without WithDir and
// WithEnviron, and get the working directory and the environment of the process.
func ExampleLoad() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "sessions.yaml")
	if err := os.WriteFile(file, []byte("strategy: lease\nlease:\n  duration: 8s\n  max_wait: 15s\n"), 0o600); err != nil {
		log.Fatal(err)
	}

	cfg, err := config.Load(
		config.WithDir(dir),
		config.WithFile("sessions.yaml"),
		config.WithEnviron([]string{"SCSDYNAMO_LEASE_MAX_WAIT=20s", "SCSDYNAMO_DRIVER=bolt"}),
		config.With("table.name", "web"))
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range cfg.Values() {
		if !v.Source.IsDefault() {
			fmt.Printf("%s = %s, set in %s\n", v.Key, v.Value,
				strings.TrimPrefix(v.Source.String(), dir+string(filepath.Separator)))
		}
	}

	store, err := cfg.Open(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	// Output:
	// driver = bolt, set in SCSDYNAMO_DRIVER
	// table.name = web, set in code
	// strategy = lease, set in sessions.yaml:1
	// lease.duration = 8s, set in sessions.yaml:3
	// lease.max_wait = 20s, set in SCSDYNAMO_LEASE_MAX_WAIT
}

// All mistakes come at once.
func ExampleLoad_mistakes() {
	_, err := config.Load(config.WithEnviron([]string{
		"SCSDYNAMO_LEASE_DURATION=30", "SCSDYNAMO_STRATGY=lease", "SCSDYNAMO_TABLE_CREATE=yes",
	}))
	fmt.Println(err)
	// Output:
	// config: 3 problems:
	//   SCSDYNAMO_LEASE_DURATION: lease.duration: 30 has no unit; write 30ms, 30s, 30m, 30h or 30d
	//   SCSDYNAMO_STRATGY: unknown variable; did you mean SCSDYNAMO_STRATEGY?
	//   SCSDYNAMO_TABLE_CREATE: table.create: "yes" is not true or false
}

// One driver for the sessions and their collection: a bbolt file can be opened only once.
func ExampleConfig_Collector() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cfg, err := config.Load(config.WithDir(dir), config.WithEnviron([]string{"SCSDYNAMO_DRIVER=bolt"}))
	if err != nil {
		log.Fatal(err)
	}
	driver, err := cfg.Driver(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = driver.Close() }()
	store, err := cfg.Store(driver)
	if err != nil {
		log.Fatal(err)
	}
	collector, err := cfg.Collector(driver)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store != nil, collector != nil)
	// Output: true true
}
