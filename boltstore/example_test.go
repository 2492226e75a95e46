package boltstore_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/boltstore"
)

// The sessions of a small web program are kept in a file next to it.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	store, err := boltstore.Open(filepath.Join(dir, "sessions.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()

	sessions := scs.New()
	sessions.Store = store
	sessions.Cookie.Secure = false // The server below does not speak TLS.

	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		visits := sessions.GetInt(r.Context(), "visits") + 1
		sessions.Put(r.Context(), "visits", visits)
		_, _ = fmt.Fprintf(w, "visit %d", visits)
	})
	server := httptest.NewServer(store.LoadAndSave(sessions)(mux))
	defer server.Close()

	jar, _ := cookiejar.New(nil)
	browser := http.Client{Jar: jar}
	for range 3 {
		response, err := browser.Get(server.URL) //nolint:noctx // It is a short example.
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		fmt.Println(string(body))
	}
	// Output:
	// visit 1
	// visit 2
	// visit 3
}
