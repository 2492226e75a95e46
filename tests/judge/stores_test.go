package judge_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alexedwards/scs/badgerstore"
	"github.com/alexedwards/scs/boltstore"
	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/mysqlstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/dgraph-io/badger"
	"github.com/go-sql-driver/mysql"
	"github.com/gomodule/redigo/redis"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/lib/pq"           // As its store is used.
	_ "github.com/mattn/go-sqlite3" // As its store is used.
	goredis "github.com/redis/go-redis/v9"
	"go.etcd.io/bbolt"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// cleanup is how often the stores clean up that do so: a collection of the suite waits for two of them.
const cleanup = 20 * time.Millisecond

// backend is what a store is on. Cases that need a second store, or a fault, find it by its store.
type backend struct {
	relay *conformance.Relay
	peer  func(t *testing.T) scs.Store
	// stored reports whether there is a record under a token, expired or not.
	stored func(t *testing.T, token string) bool
}

// kind is a store and how to make one.
type kind struct {
	name string
	// server is the variable with the address of its server, empty for an embedded one.
	server string
	// table is what its server needs.
	table   table
	open    func(t *testing.T, address string) (scs.Store, backend)
	collect bool // Whether it cleans up.
	options []conformance.Option
}

// table is one of a SQL server.
type table struct {
	driver  string
	source  func(address string) string
	columns string
}

func kinds() []kind {
	postgres := table{"postgres", postgresURL, "token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL"}
	return []kind{
		{name: "memstore", open: openMemory, collect: true},
		{name: "boltstore", open: openBolt, collect: true},
		{name: "badgerstore", open: openBadger, options: []conformance.Option{conformance.WithExpiryResolution(time.Second)}},
		{name: "sqlite3store", open: openSQLite, collect: true},
		{name: "redisstore", server: "REDIS_ADDR", open: openRedigo, options: withPrefixes(redigoNamespaces)},
		{name: "goredisstore", server: "REDIS_ADDR", open: openGoRedis, options: withPrefixes(goRedisNamespaces)},
		{name: "postgresstore", server: "POSTGRES_ADDR", table: postgres, open: openPostgres, collect: true},
		{name: "pgxstore", server: "POSTGRES_ADDR", table: postgres, open: openPgx, collect: true},
		{
			name: "mysqlstore, table of its README", server: "MYSQL_ADDR", open: openMySQL, collect: true,
			table: table{
				"mysql", mysqlDSN,
				"token CHAR(43) PRIMARY KEY, data BLOB NOT NULL, expiry TIMESTAMP(6) NOT NULL, INDEX (expiry)",
			},
			options: []conformance.Option{conformance.WithMaxData(1<<16 - 1)},
		},
		{
			name: "mysqlstore, binary columns", server: "MYSQL_ADDR", open: openMySQL, collect: true,
			table: table{
				"mysql", mysqlDSN,
				"token VARBINARY(255) PRIMARY KEY, data LONGBLOB NOT NULL, expiry DATETIME(6) NOT NULL, INDEX (expiry)",
			},
		},
	}
}

// prepare makes the table of a server's store, empty.
func (k kind) prepare(t *testing.T, address string) {
	t.Helper()
	if k.table.columns == "" {
		return
	}
	db := database(t, k.table.driver, k.table.source(address))
	for _, statement := range []string{
		"DROP TABLE IF EXISTS sessions",
		"CREATE TABLE sessions (" + k.table.columns + ")",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func openMemory(*testing.T, string) (scs.Store, backend) {
	return memstore.NewWithCleanupInterval(cleanup), backend{}
}

func openBolt(t *testing.T, _ string) (scs.Store, backend) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "sessions"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return boltstore.NewWithCleanupInterval(db, cleanup), backend{stored: func(_ *testing.T, token string) (stored bool) {
		_ = db.View(func(tx *bbolt.Tx) error {
			stored = tx.Bucket([]byte("scs:session")).Get([]byte(token)) != nil
			return nil
		})
		return stored
	}}
}

func openBadger(t *testing.T, _ string) (scs.Store, backend) {
	t.Helper()
	db, err := badger.Open(badger.DefaultOptions(t.TempDir()).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return badgerstore.New(db), backend{}
}

func openSQLite(t *testing.T, _ string) (scs.Store, backend) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(t.TempDir(),
		"sessions")+"?_journal=WAL&_busy_timeout=10000&_synchronous=OFF")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(),
		"CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);"+
			"CREATE INDEX sessions_expiry_idx ON sessions(expiry)"); err != nil {
		t.Fatal(err)
	}
	return sqlite3store.NewWithCleanupInterval(db, cleanup), backend{
		stored: rowStored(db, "?"), peer: func(*testing.T) scs.Store { return sqlite3store.NewWithCleanupInterval(db, 0) },
	}
}

func openRedigo(t *testing.T, address string) (scs.Store, backend) {
	t.Helper()
	relay := conformance.NewRelay(t, address)
	return redisstore.New(redigoPool(t, relay.Addr())), backend{
		relay: relay, peer: func(t *testing.T) scs.Store { return redisstore.New(redigoPool(t, address)) },
	}
}

func redigoPool(t *testing.T, address string) *redis.Pool {
	t.Helper()
	pool := &redis.Pool{MaxIdle: 4, DialContext: func(ctx context.Context) (redis.Conn, error) {
		return redis.DialContext(ctx, "tcp", address)
	}}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

func redigoNamespaces(t *testing.T, address, prefix string) scs.Store {
	t.Helper()
	return redisstore.NewWithPrefix(redigoPool(t, address), prefix)
}

func openGoRedis(t *testing.T, address string) (scs.Store, backend) {
	t.Helper()
	relay := conformance.NewRelay(t, address)
	return goredisstore.New(goRedisClient(t, relay.Addr())), backend{
		relay: relay, peer: func(t *testing.T) scs.Store { return goredisstore.New(goRedisClient(t, address)) },
	}
}

func goRedisClient(t *testing.T, address string) *goredis.Client {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: address, PoolSize: 4, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func goRedisNamespaces(t *testing.T, address, prefix string) scs.Store {
	t.Helper()
	return goredisstore.NewWithPrefix(goRedisClient(t, address), prefix)
}

func withPrefixes(open func(t *testing.T, address, prefix string) scs.Store) []conformance.Option {
	return []conformance.Option{conformance.WithNamespaces(func(t *testing.T,
		first, second string,
	) (scs.Store, scs.Store) {
		t.Helper()
		address := os.Getenv("REDIS_ADDR")
		return open(t, address, first), open(t, address, second)
	})}
}

func postgresURL(address string) string {
	return "postgres://postgres@" + address + "/postgres?sslmode=disable"
}

func openPostgres(t *testing.T, address string) (scs.Store, backend) {
	t.Helper()
	relay := conformance.NewRelay(t, address)
	direct := database(t, "postgres", postgresURL(address))
	return postgresstore.NewWithCleanupInterval(database(t, "postgres", postgresURL(relay.Addr())), cleanup), backend{
		relay: relay, stored: rowStored(direct, "$1"),
		peer: func(*testing.T) scs.Store { return postgresstore.NewWithCleanupInterval(direct, 0) },
	}
}

func openPgx(t *testing.T, address string) (scs.Store, backend) {
	t.Helper()
	relay := conformance.NewRelay(t, address)
	pool := func(address string) *pgxpool.Pool {
		pool, err := pgxpool.New(t.Context(), postgresURL(address)+"&pool_max_conns=4")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { go pool.Close() }) // It waits for connections that a hanging call has.
		return pool
	}
	return pgxstore.NewWithCleanupInterval(pool(relay.Addr()), cleanup), backend{
		relay: relay, stored: rowStored(database(t, "postgres", postgresURL(address)), "$1"),
		peer: func(*testing.T) scs.Store { return pgxstore.NewWithCleanupInterval(pool(address), 0) },
	}
}

func mysqlDSN(address string) string {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName = "scs", "scs", "tcp", address, "scs"
	config.ParseTime, config.MultiStatements = true, true
	config.Logger = &mysql.NopLogger{}
	return config.FormatDSN()
}

func openMySQL(t *testing.T, address string) (scs.Store, backend) {
	t.Helper()
	relay := conformance.NewRelay(t, address)
	direct := database(t, "mysql", mysqlDSN(address))
	return mysqlstore.NewWithCleanupInterval(database(t, "mysql", mysqlDSN(relay.Addr())), cleanup), backend{
		relay: relay, stored: rowStored(direct, "?"),
		peer: func(*testing.T) scs.Store { return mysqlstore.NewWithCleanupInterval(direct, 0) },
	}
}

// database opens a small pool, as a server with many processes has: what keeps two connections at once shows.
func database(t *testing.T, driver, source string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(4)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func rowStored(db *sql.DB, placeholder string) func(t *testing.T, token string) bool {
	return func(t *testing.T, token string) bool {
		t.Helper()
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sessions WHERE token = "+placeholder,
			token).Scan(&n); err != nil {
			t.Error(err)
		}
		return n > 0
	}
}
