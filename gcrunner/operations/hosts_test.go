package operations_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner/operations"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// A website that gives its own name our address reads nothing: not the page, not the metrics, not the profiles.
func TestHosts(t *testing.T) {
	t.Parallel()
	runner := newRunner(t, memory.New(), time.Hour)
	ours := operations.NewHandler(runner, operations.Options{
		Hosts: []string{"ops.example.com", "root.example.com.", "proxy.example.com:8443"}, Profiles: true,
	})
	anyHost := operations.NewHandler(runner, operations.Options{Hosts: []string{"*"}})
	for host, served := range map[string]bool{
		"127.0.0.1:9464": true, "127.0.0.1": true, "[::1]:9464": true, "[::1]": true, "10.1.2.3:9464": true,
		"[fe80::1%25eth0]:9464": true,
		"localhost":             true, "localhost:9464": true, "LOCALHOST:9464": true,
		"gcrunner.localhost": true, "gcrunner": true,
		"gcrunner:9464": true, "gcrunner.sessions.svc:9464": true, "gcrunner.sessions.svc.cluster.local:9464": true,
		"ip-10-1-2-3.eu-central-1.compute.internal:9464": true, "": true,
		"ops.example.com": true, "OPS.example.com:9464": true, "ops.example.com.": true, "root.example.com": true,
		"root.example.com.:80": true, "proxy.example.com:8443": true,

		"attacker.example": false, "attacker.example:9464": false, "127.0.0.1.attacker.example": false,
		"localhost.attacker.example":                     false,
		"gcrunner.sessions.svc.cluster.attacker.example": false, "10.1.2.3.attacker.example:9464": false,
		"other.example.com": false,
		"xops.example.com":  false, "ops.example.com.attacker.example": false, "proxy.example.com:1": false,
		"gcrunner.dev": false,
	} {
		for _, path := range []string{"/", "/metrics", "/readyz", "/livez", "/style.css", "/debug/pprof/"} {
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
			request.Host = host
			recorder := httptest.NewRecorder()
			ours.ServeHTTP(recorder, request)
			if refused := recorder.Code == http.StatusMisdirectedRequest; refused == served {
				t.Errorf("%s of %q: %d; served must be %v", path, host, recorder.Code, served)
			}
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		request.Host = host
		recorder := httptest.NewRecorder()
		anyHost.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusOK {
			t.Errorf("where all hosts are served, %q gets %d", host, recorder.Code)
		}
	}
}
