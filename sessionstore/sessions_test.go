package sessionstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// paged is a driver that scans one page, again and again, and cannot read what an arrival comes from.
type paged struct {
	*memory.Driver
	page  storage.Page
	scans int
}

func (d *paged) Scan(context.Context, storage.ScanRequest) (storage.Page, error) {
	d.scans++
	page := d.page
	page.Records, page.Unreadable = slices.Clone(page.Records), slices.Clone(page.Unreadable)
	page.Next = "more"
	return page, nil
}

func (*paged) Get(context.Context, string, storage.Consistency) (storage.Record, bool, error) {
	return storage.Record{}, false, storage.ErrUnavailable
}

// A visit of all sessions ends where the visitor says so, whatever it has seen, and looks at no further page.
func TestVisitEndsAtAnySession(t *testing.T) {
	t.Parallel()
	session := storage.Record{
		Key: "key", Data: []byte("not sealed"), Version: storage.NewVersion(), CreatedAt: time.Now(), UpdatedAt: time.Now(),
		ExpiresAt: inAnHour(),
	}
	secret := sessionstore.WithSecret(storetest.Secret(1))
	damaged := &storage.CorruptError{Part: "an attribute", Problem: "is missing"}
	for name, test := range map[string]struct {
		page    storage.Page
		options []sessionstore.Option
		want    error
	}{
		"a session": {storage.Page{Records: []storage.Record{session, session}}, nil, nil},
		"one that does not open": {
			storage.Page{Records: []storage.Record{session, session}}, []sessionstore.Option{secret}, storage.ErrCorrupt,
		},
		"no whole record": {
			storage.Page{Unreadable: []storage.Unreadable{{Key: "key", Err: damaged}, {Key: "other", Err: damaged}}},
			nil, storage.ErrCorrupt,
		},
	} {
		d := &paged{Driver: memory.New(), page: test.page}
		n := 0
		for _, err := range newStore(t, d, test.options...).Sessions(t.Context()) {
			if n++; !errors.Is(err, test.want) {
				t.Errorf("%s: %v; want %v", name, err, test.want)
			}
			break
		}
		if n != 1 || d.scans != 1 {
			t.Errorf("%s: %d visits of %d pages; want one", name, n, d.scans)
		}
	}
}

// An error of the driver ends a visit of all sessions: what is behind it may be missing.
func TestVisitEndsAtAnError(t *testing.T) {
	t.Parallel()
	session := storage.Record{
		Key: "key", Version: storage.NewVersion(), CreatedAt: time.Now(), UpdatedAt: time.Now(), ExpiresAt: inAnHour(),
	}
	d := &paged{Driver: memory.New()}
	d.page.Records = []storage.Record{ended.Arrival(session, "old"), session}
	n := 0
	for _, err := range newStore(t, d).Sessions(t.Context()) {
		if n++; !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%v; want ErrUnavailable", err)
		}
	}
	if n != 1 || d.scans != 1 {
		t.Errorf("%d visits of %d pages; want one", n, d.scans)
	}
}

// counted counts what is read of a driver in scans.
type counted struct {
	*memory.Driver
	pages, limit int
}

func (d *counted) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	d.pages++
	d.limit += request.Limit
	page, err := d.Driver.Scan(ctx, request)
	page.Next = "more" // there is always more
	return page, err
}

// CheckSecrets reads as much as it says, whatever there is.
func TestCheckSecretsReadsASample(t *testing.T) {
	t.Parallel()
	d := &counted{Driver: memory.New()}
	if err := newStore(t, d, sessionstore.WithSecret(storetest.Secret(1))).CheckSecrets(t.Context()); err != nil {
		t.Error(err)
	}
	if d.pages != 3 || d.limit != 300 {
		t.Errorf("%d pages of %d items; want 3 of 300", d.pages, d.limit)
	}
}

// What looks sealed is what begins with the number of a format, and is as long as one.
func TestCheckSecretsTellsUnsealedSessions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first    byte
		length   int
		unsealed int
	}{{0, 40, 1}, {1, 40, 0}, {2, 40, 0}, {'{', 40, 1}, {0x2f, 40, 1}, {2, 32, 1}, {2, 33, 0}} {
		driver := memory.New()
		record := storage.Record{
			Key: "key", Version: "v", UpdatedAt: time.Now(), ExpiresAt: inAnHour(), Data: make([]byte, test.length),
		}
		record.Data[0] = test.first
		if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
			t.Fatal(err)
		}
		err := newStore(t, driver, sessionstore.WithSecret(storetest.Secret(1))).CheckSecrets(t.Context())
		wrong := (*sessionstore.SecretError)(nil)
		if !errors.As(err, &wrong) || wrong.Live != 1 || wrong.Unsealed != test.unsealed {
			t.Errorf("%d bytes that begin with %d: %v; want %d unsealed", test.length, test.first, err, test.unsealed)
		}
	}
}

// closing is a driver that notes how it is read, and does not close.
type closing struct {
	*memory.Driver
	consistency storage.Consistency
}

var errClosing = errors.New("it does not close")

func (closing) Close() error { return errClosing }

func (d *closing) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	d.consistency = request.Consistency
	return d.Driver.Scan(ctx, request)
}

// Close closes a driver that can be, and tells what that says.
func TestCloseClosesTheDriver(t *testing.T) {
	t.Parallel()
	if err := newStore(t, &closing{Driver: memory.New()}).Close(); !errors.Is(err, errClosing) {
		t.Errorf("%v; want the driver's error", err)
	}
	if err := newStore(t, memory.New()).Close(); err != nil {
		t.Errorf("of a driver that cannot be closed: %v", err)
	}
}

// Lists are read as consistently as single sessions.
func TestListsAreAsConsistentAsReads(t *testing.T) {
	t.Parallel()
	for reads, want := range map[lockstrategy.Reads]storage.Consistency{
		lockstrategy.StrongReads: storage.Strong, lockstrategy.EventualReads: storage.Eventual,
		lockstrategy.EventualThenStrongReads: storage.Eventual,
	} {
		d := &closing{Driver: memory.New()}
		if _, err := newStore(t, d, sessionstore.WithReads(reads)).All(); err != nil || d.consistency != want {
			t.Errorf("%v: read with %v, %v; want %v", reads, d.consistency, err, want)
		}
	}
}

// All returns every session, or the error of one that cannot be read; as misses, such are left out, wherever they are.
func TestAllIsAllOrAnError(t *testing.T) {
	t.Parallel()
	data, err := scs.GobCodec{}.Encode(inAnHour(), map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"a", "b", "c"} {
		for what, secret := range map[string]sessionstore.Option{
			"does not decode": nil, "does not open": sessionstore.WithSecret(storetest.Secret(1)),
		} {
			options := []sessionstore.Option{sessionstore.WithPageSize(2)}
			if secret != nil {
				options = append(options, secret)
			}
			driver := memory.New()
			for _, token := range []string{"a", "b", "c"} {
				switch {
				case token != bad:
					commit(t, newStore(t, driver, options...), token, string(data))
				default:
					commit(t, newStore(t, driver), token, "damaged")
				}
			}
			all := func(options ...sessionstore.Option) (map[string][]byte, error) {
				store := newStore(t, driver, options...)
				ctx, end := store.Begin(t.Context())
				defer end()
				return store.AllCtx(ctx)
			}
			if got, err := all(options...); secret != nil && (!errors.Is(err, storage.ErrCorrupt) || got != nil) {
				t.Errorf("%s %s: %d sessions, %v; want ErrCorrupt", bad, what, len(got), err)
			}
			if got, err := all(append(options, sessionstore.WithUnreadableAsMiss())...); err != nil || len(got) != 2 ||
				got[bad] != nil {
				t.Errorf("%s %s, as a miss: %d sessions, %v; want 2", bad, what, len(got), err)
			}
		}
	}
}
