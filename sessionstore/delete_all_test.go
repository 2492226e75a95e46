package sessionstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/sealed"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// batches deletes many records at once, or fails to.
type batches struct {
	*memory.Driver
	fail    error
	batches int
}

func (d *batches) DeleteBatch(ctx context.Context, keys []string) error {
	d.batches++
	if d.fail != nil {
		return d.fail
	}
	for _, key := range keys {
		if err := d.Delete(ctx, key, storage.Always()); err != nil {
			return err
		}
	}
	return nil
}

// DeleteAll deletes by pages where the driver can, and tells what has failed, and how many are surely gone.
func TestDeleteAllInBatches(t *testing.T) {
	t.Parallel()
	d := &batches{Driver: memory.New()}
	store := newStore(t, d, sessionstore.WithPageSize(2))
	for _, token := range []string{"a", "b", "c"} {
		commit(t, store, token, "data")
	}
	d.fail = storage.ErrThrottled
	if n, err := store.DeleteAll(t.Context()); n != 0 || !errors.Is(err, storage.ErrThrottled) || d.live(t) != 3 {
		t.Errorf("%d, %v; want ErrThrottled", n, err)
	}
	d.fail, d.batches = nil, 0
	if n, err := store.DeleteAll(t.Context()); n != 3 || err != nil || d.live(t) != 0 || d.batches != 2 {
		t.Errorf("%d, %v, in %d batches; want 3 in 2", n, err, d.batches)
	}
}

func (d *batches) live(t *testing.T) int { return len(sessionsOf(t, d.Driver)) }

// A session whose move to another secret was cut short is deleted where it arrives, and not counted where it has left.
func TestDeleteAllWhileASessionMoves(t *testing.T) {
	t.Parallel()
	driver := newHooked()
	older, newer := storetest.Secret(1), storetest.Secret(2)
	token := newVisitor(t, driver, sessionstore.WithSecret(older)).begin(map[string]any{"cart": 1})
	store := newStore(t, driver, sessionstore.WithSecret(newer, older))
	next := records(t, driver.Driver)[0]
	from := next.Key
	next.Key = store.StorageKey(token)
	arrival := ended.Arrival(next, from)
	for _, record := range []storage.Record{arrival, ended.Departure(from, arrival, time.Now())} {
		if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := store.DeleteAll(t.Context()); n != 1 || err != nil {
		t.Errorf("%d, %v; want 1", n, err)
	}
	for _, record := range records(t, driver.Driver) {
		if record.Key == next.Key {
			t.Errorf("the arrival is left: %+v", record)
		}
	}
}

// A damaged session is deleted by what stands before its seal, all of it and no less.
func TestDeleteAllKnowsItsOwnByTheHeader(t *testing.T) {
	t.Parallel()
	secret, now := storetest.Secret(1), time.Now()
	whole := sessionstore.SealUnder(secret, "namespace:", storage.Record{Key: "key"}, "token", nil, now, time.Time{})
	first := sessionstore.SealFormat1(secret, "key", "token", nil)
	for name, test := range map[string]struct {
		data []byte
		ours bool
	}{
		"format 2":        {whole[:9], true},
		"less of it":      {whole[:8], false},
		"format 1":        {first[:5], true},
		"less of that":    {first[:4], false},
		"the format":      {whole[:1], false},
		"nothing":         {nil, false},
		"no known format": {append([]byte{3}, whole[1:]...), false},
	} {
		driver := memory.New()
		record := storage.Record{
			Key: "key", Data: test.data, Version: storage.NewVersion(), UpdatedAt: time.Now(), ExpiresAt: inAnHour(),
		}
		if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
			t.Fatal(err)
		}
		n, err := newStore(t, driver, sessionstore.WithSecret(secret)).DeleteAll(t.Context())
		if left := len(records(t, driver)); (left == 0) != test.ours || n != 1-left ||
			errors.Is(err, sessionstore.ErrSessionsLeft) == test.ours {
			t.Errorf("%s: %d were deleted, %v, and %d are left; want it deleted: %v", name, n, err, left, test.ours)
		}
	}
}

// What is deleted before a failure is counted, by the batch, and the next call goes on.
func TestDeleteAllCountsBatches(t *testing.T) {
	t.Parallel()
	const sessions, whole = 60, 25
	for fails := range 3 {
		d := &failing{Driver: memory.New(), at: fails}
		store := newStore(t, d)
		for i := range sessions {
			commit(t, store, fmt.Sprint("token-", i), "data")
		}
		n, err := store.DeleteAll(t.Context())
		if gone := sessions - len(records(t, d.Driver)); !errors.Is(err, storage.ErrThrottled) ||
			n != fails*whole || gone != n {
			t.Errorf("where batch %d fails: %d, %v; %d are gone", fails, n, err, gone)
		}
		if n, err := store.DeleteAll(t.Context()); err != nil || n != sessions-fails*whole {
			t.Errorf("again: %d, %v", n, err)
		}
	}
}

// failing refuses one batch. None is larger than DynamoDB's.
type failing struct {
	*memory.Driver
	at, batches int
}

func (d *failing) DeleteBatch(ctx context.Context, keys []string) error {
	if d.batches++; d.batches == d.at+1 || len(keys) > 25 {
		return storage.ErrThrottled
	}
	return d.Driver.DeleteBatch(ctx, keys)
}

// unreadable is a driver that cannot read its records, but for their data where it says so.
type unreadable struct {
	*memory.Driver
	withoutData bool
}

func (d unreadable) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	page, err := d.Driver.Scan(ctx, request)
	for _, record := range page.Records {
		u := storage.Unreadable{Key: record.Key, Err: storage.ErrCorrupt, Data: record.Data}
		if d.withoutData {
			u.Data = nil
		}
		page.Unreadable = append(page.Unreadable, u)
	}
	page.Records = nil
	return page, err
}

// What cannot be read is deleted where its data says whose it is, and left where that is not sure.
func TestDeleteAllOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	one, two := sessionstore.WithSecret(storetest.Secret(1)), sessionstore.WithSecret(storetest.Secret(2))
	shop, admin := sessionstore.WithSecretContext("shop"), sessionstore.WithSecretContext("admin")
	list := func(options ...sessionstore.Option) []sessionstore.Option { return options }
	for name, c := range map[string]struct {
		stored, deletes []sessionstore.Option
		withoutData     bool
		deleted         int
		err             error
	}{
		"its own": {list(one), list(one), false, 1, nil},
		"a previous secret": {
			list(one), list(sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1))), false,
			1, nil,
		},
		"no data":             {list(one), list(one), true, 0, sessionstore.ErrSessionsLeft},
		"another secret":      {list(one), list(two), false, 0, sessionstore.ErrSessionsLeft},
		"another application": {list(one, shop), list(one, admin), false, 0, nil},
		"no secret any more":  {list(one), nil, false, 0, sessionstore.ErrSessionsLeft},
		"the first secret":    {nil, list(one), false, 0, sessionstore.ErrSessionsLeft},
		"without a secret":    {nil, nil, false, 0, sessionstore.ErrSessionsLeft},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := memory.New()
			commit(t, newStore(t, driver, c.stored...), "token", "\x2fdata of an application, as long as what is sealed")
			n, err := newStore(t, unreadable{driver, c.withoutData}, c.deletes...).DeleteAll(t.Context())
			if n != c.deleted || !errors.Is(err, c.err) || c.err == nil && err != nil || len(records(t, driver)) != 1-c.deleted {
				t.Errorf("%d, %v; want %d, %v", n, err, c.deleted, c.err)
			}
		})
	}
}

// However the data of a session is damaged, it is deleted where it still says whose it is, and by nobody else.
func TestDeleteAllOfWhatIsDamaged(t *testing.T) {
	t.Parallel()
	const header = 9 // what stands before the nonce
	stored := memory.New()
	commit(t, newStore(t, stored, sessionstore.WithSecret(storetest.Secret(1))), "token", "data")
	whole := records(t, stored)[0]
	damaged := map[string][]byte{"text": []byte("damaged")}
	for i := range whole.Data {
		damaged[fmt.Sprint("cut to ", i)] = whole.Data[:i]
		changed := bytes.Clone(whole.Data)
		changed[i] ^= 0x80
		damaged[fmt.Sprint("changed at ", i)] = changed
	}
	for name, data := range damaged {
		for by := range byte(2) {
			driver := memory.New()
			record := whole
			record.Data = data
			if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
				t.Fatal(err)
			}
			n, err := newStore(t, driver, sessionstore.WithSecret(storetest.Secret(by+1))).DeleteAll(t.Context())
			want := 0
			if by == 0 && len(data) >= header && bytes.Equal(data[:header], whole.Data[:header]) {
				want = 1
			}
			if n != want || len(records(t, driver)) != 1-want || want == 1 && err != nil {
				t.Errorf("%s, by the secret %d: %d, %v; want %d", name, by+1, n, err, want)
			}
		}
	}
}

// Format 1 has no mark, and a store without a secret does not take it for its own all the same. What a codec of the
// application writes is never taken for it, as long as the store is told of the codec.
func TestFormat1WithoutASecret(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	key := sessionstore.StorageKeyOf(storetest.Secret(1), "token")
	record := storage.Record{
		Key: key, Data: sessionstore.SealFormat1(storetest.Secret(1), key, "token", []byte("data")),
		Version:   storage.NewVersion(),
		UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}
	if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
		t.Fatal(err)
	}
	store := newStore(t, driver)
	for session, err := range store.Sessions(t.Context()) {
		if !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("it is listed, with %d bytes, %v", len(session.Data), err)
		}
	}
	if n, err := store.DeleteAll(t.Context()); n != 0 || !errors.Is(err, sessionstore.ErrSessionsLeft) ||
		len(records(t, driver)) != 1 {
		t.Errorf("DeleteAll: %d, %v", n, err)
	}
	if err := store.CheckSecrets(t.Context()); err == nil {
		t.Error("CheckSecrets says nothing")
	}

	driver = memory.New()
	told := newStore(t, driver, sessionstore.WithCodec(versioned{}))
	data, err := versioned{}.Encode(time.Now().Add(time.Hour), map[string]any{"user": "somebody"})
	if err != nil || !sealed.Likely(data) {
		t.Fatalf("%q, %v; it does not look sealed", data, err)
	}
	commit(t, told, "token", string(data))
	for session, err := range told.Sessions(t.Context()) {
		if err != nil || session.Token != "token" {
			t.Errorf("a codec whose data looks sealed: %+v, %v", session, err)
		}
	}
	if err := told.CheckSecrets(t.Context()); err != nil {
		t.Errorf("CheckSecrets: %v", err)
	}
	if _, found, err := newStore(t, driver).Find("token"); !found || err != nil {
		t.Errorf("a store that knows no codec finds it: %v, %v", found, err)
	}
	if n, err := told.DeleteAll(t.Context()); n != 1 || err != nil {
		t.Errorf("DeleteAll: %d, %v", n, err)
	}
}

// versioned is a codec whose data begins with a number.
type versioned struct{}

func (versioned) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	data, err := scs.GobCodec{}.Encode(deadline, values)
	return append([]byte{1}, data...), err
}

func (versioned) Decode(data []byte) (time.Time, map[string]any, error) {
	return scs.GobCodec{}.Decode(data[1:])
}
