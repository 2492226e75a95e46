package readme_test

import (
	"context"

	"github.com/scsdynamo/scsdynamo/config"
)

// The code about configuration, in README.md and docs/configuration.md.

func _(ctx context.Context) error {
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	store, err := cfg.Open(ctx)
	if err != nil {
		return err
	}
	return store.Close()
}

func _(ctx context.Context) error {
	cfg, err := config.Load()
	if err != nil {
		return err // every mistake, with file, line and key
	}
	store, err := cfg.Open(ctx)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // As docs/configuration.md has it.
	return nil
}
