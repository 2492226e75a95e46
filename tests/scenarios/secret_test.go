package scenarios_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// TestI3_LogoutAcrossSecrets checks that a logout ends the session although another process, which has the secrets in
// another order, moves it at the same time; whichever of the logout's writes that comes before.
func TestI3_LogoutAcrossSecrets(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, c := range []struct{ first, mover, leaver []byte }{
		{[]byte{1}, []byte{2, 1}, []byte{1, 2}},
		{[]byte{1}, []byte{2, 1}, []byte{2, 1}},
		{[]byte{2}, []byte{1, 2}, []byte{2, 1}},
		{[]byte{1}, []byte{2, 1, 3}, []byte{3, 1, 2}},
		{[]byte{1}, []byte{3, 2, 1}, []byte{1, 2, 3}},
		{[]byte{2}, []byte{3, 1, 2}, []byte{1, 2, 3}},
	} {
		for _, target := range []string{"/inc?k=a", "/renew"} {
			for held := range len(c.leaver) + 2 { // the session's own delete comes on top
				t.Run(fmt.Sprintf("%v_%v_%v%s_%d", c.first, c.mover, c.leaver, target[:4], held), func(t *testing.T) {
					t.Parallel()
					each(t, webapp.Strict(), webapp.Config{Table: table}, func(s *site) {
						born := s.server(func(config *webapp.Config) { config.Secrets = c.first })
						mover := s.server(func(config *webapp.Config) { config.Secrets = c.mover })
						leaver := s.server(func(config *webapp.Config) { config.Secrets = c.leaver })
						b := newBrowser()
						born.set(b, "/inc?k=a")
						old, lineage := b.Token(), born.get(b, "/get").Reply.Lineage

						leaver.proxy.On(faultproxy.Writes, held, faultproxy.Pass())
						hold := leaver.proxy.Hold(faultproxy.Writes, 1)
						logout := leaver.begin(b, http.MethodPost, "/logout")
						reached := make(chan error, 1)
						go func() { reached <- hold.Await(s.ctx, 1) }()
						var moved webapp.Response
						select {
						case <-logout.done: // it makes fewer writes
							return
						case err := <-reached:
							s.must("the logout's write", err)
							moved = mover.post(with(old), target)
							s.must("the logout's write", hold.Release(s.ctx))
						}
						if !logout.answer().OK() {
							return // it does not say that the session is gone
						}
						for _, v := range []*server{mover, leaver} {
							for _, token := range []string{old, moved.Got} {
								if left := v.get(with(token), "/get").Reply; left.Lineage == lineage {
									s.Errorf("the logout was acknowledged, and the session lives: %+v; the other request was told %d",
										left, moved.Status)
								}
							}
						}
					})
				})
			}
		}
	}
}
