package layouts_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// secrets are what two applications in the very same place may have.
var secrets = []layout{
	{},
	{secret: 1},
	{secret: 2},
	{secret: 1, context: "shop"},
	{secret: 1, context: "admin"},
	{secret: 2, context: "shop"},
}

// Where nothing but secrets tells two applications apart, neither lists, changes or ends a session of the other.
func TestSecretsKeepApart(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) *place{
		"memory": func(*testing.T) *place {
			driver := memory.New()
			return onDriver(func(layout) (storage.Driver, error) { return driver, nil })
		},
		"bolt": func(t *testing.T) *place {
			t.Helper()
			driver, err := boltstore.OpenDriver(filepath.Join(t.TempDir(), "sessions.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = driver.Close() })
			return onDriver(func(layout) (storage.Driver, error) { return driver, nil })
		},
		"dynamodb": func(t *testing.T) *place { t.Helper(); return newTable(t, false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t)
			for i, a := range secrets {
				for _, b := range secrets[i+1:] {
					attack(t, p, a, b)
				}
			}
		})
	}
}

// onDriver is a place that is looked at through its driver, which knows no prefix.
func onDriver(open func(layout) (storage.Driver, error)) *place {
	p := &place{open: open}
	p.items = func(t tester) map[string]any {
		t.Helper()
		driver, _ := open(layout{})
		items := map[string]any{}
		request := storage.ScanRequest{}
		for {
			page, err := driver.Scan(context.Background(), request) //nolint:forcetypeassert // It is.
			if err != nil {
				t.Fatalf("%v", err)
			}
			for _, r := range page.Records {
				items[r.Key] = r
			}
			if request.Start = page.Next; page.Next == "" {
				return items
			}
		}
	}
	p.clear = func(t tester) {
		t.Helper()
		driver, _ := open(layout{})
		for key := range p.items(t) {
			if err := driver.Delete(context.Background(), key, storage.Always()); err != nil {
				t.Fatalf("%v", err)
			}
		}
	}
	return p
}
