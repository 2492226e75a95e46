package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

func text(cfg *config.Config, key string) string {
	value, _ := cfg.Value(key)
	return value.Value
}

func onBolt(cfg *config.Config) bool { return text(cfg, "driver") == "bolt" }

// sealed reports whether there is a secret.
func sealed(cfg *config.Config) bool {
	return text(cfg, "secret.current") != "" || text(cfg, "secret.current_file") != ""
}

// rotating reports whether there are previous secrets.
func rotating(cfg *config.Config) bool {
	return text(cfg, "secret.previous") != "" || text(cfg, "secret.previous_files") != ""
}

// outdated reports whether previous secrets count no more.
func outdated(cfg *config.Config) bool {
	until := instantOf(cfg, "secret.previous_until")
	return !until.IsZero() && !time.Now().Before(until)
}

// instantOf returns the value of a key that is an instant, zero where it is not set.
func instantOf(cfg *config.Config, key string) time.Time {
	t, _ := time.Parse(time.RFC3339, text(cfg, key)) // Load has checked it.
	return t
}

// table returns the table and a client for it.
func (a *app) table(ctx context.Context) (dynamostore.Table, *dynamodb.Client, error) {
	cfg, err := a.layout()
	if err != nil {
		return dynamostore.Table{}, nil, err
	}
	client, err := cfg.Client(ctx)
	return cfg.Table(), client, err
}

// layout returns a configuration that has a table.
func (a *app) layout() (*config.Config, error) {
	cfg, err := a.load()
	if err == nil && onBolt(cfg) {
		err = explain.New(explain.Configuration,
			"the driver is bolt, which has no table: its file is made when the application opens it",
			"set driver to dynamodb for this command")
	}
	return cfg, err
}

// openDriver opens the driver. Unlike the application it creates no table and no file: an operator wants to see what
// exists.
func openDriver(ctx context.Context, cfg *config.Config) (storage.Driver, error) {
	if !onBolt(cfg) {
		client, err := cfg.Client(ctx)
		if err != nil {
			return nil, err
		}
		return dynamostore.NewDriver(client, cfg.Table())
	}
	path := text(cfg, "bolt.path")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, explain.New(explain.NotFound, "there is no file "+path,
			"correct bolt.path; the application makes the file at its start")
	}
	driver, err := cfg.Driver(ctx)
	if errors.Is(err, boltstore.ErrInUse) {
		e := explain.Error(err)
		e.Text = path + ": " + e.Text
		return nil, e
	}
	return driver, err
}

// closeDriver gives back what a driver holds open.
func closeDriver(driver storage.Driver) error {
	if closer, ok := driver.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// opened are the sessions of a store that is open.
type opened struct {
	*inspect.Sessions
	cfg    *config.Config
	driver storage.Driver
}

// sessions opens the store. The caller must close it.
func (a *app) sessions(ctx context.Context) (*opened, error) {
	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	driver, err := openDriver(ctx, cfg)
	if err != nil {
		return nil, err
	}
	sessions, err := inspect.New(driver, storeOf(cfg), sealed(cfg))
	if err != nil {
		return nil, errors.Join(err, closeDriver(driver))
	}
	return &opened{sessions, cfg, driver}, nil
}

// storeOf makes stores that say nothing: what they would log is about applications.
func storeOf(cfg *config.Config) inspect.StoreFunc {
	silent := sessionstore.WithLogger(slog.New(slog.DiscardHandler))
	return func(driver storage.Driver, options ...sessionstore.Option) (*sessionstore.Store, error) {
		return cfg.Store(driver, append([]sessionstore.Option{silent}, options...)...)
	}
}

// close gives back what the sessions hold open.
func (o *opened) close(err *error) {
	if closing := closeDriver(o.driver); closing != nil && *err == nil {
		*err = fmt.Errorf("the store cannot be closed: %w", closing)
	}
}
