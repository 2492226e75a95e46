package dropin

import (
	"io"
	"net/http"
)

const upgrading = "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

// upgrades are handlers that take over the connection.
var upgrades = []behaviour{
	{name: "Hijack", serve: in(hijack), early: true},
	{name: "Hijack after the session was committed", serve: in(commitAndHijack), early: true},
	{name: "upgrade, echo", serve: in(upgrade), request: upgrading, talk: echo, early: true},
	{name: "upgrade by the status", serve: in(upgradeByStatus), request: upgrading},
	{name: "Hijack, then a write", serve: in(hijackAndWrite), early: true},
	{name: "Hijack, then a panic", serve: recoveredOutside(hijackAndPanic), early: true},
	{name: "Hijack after a write", serve: in(writeAndHijack)},
}

func hijack(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	conn, _, err := http.NewResponseController(w).Hijack()
	a.see("Hijack", err)
	if err == nil {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhijacked")
		_ = conn.Close()
	}
}

func commitAndHijack(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	_, _, err := a.sessions.Commit(r.Context())
	a.see("Commit", err != nil)
	conn, _, err := http.NewResponseController(w).Hijack()
	a.see("Hijack", err)
	if err == nil {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhijacked")
		_ = conn.Close()
	}
}

func upgrade(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	conn, buffer, err := http.NewResponseController(w).Hijack()
	a.see("Hijack", err)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	for {
		line, err := buffer.ReadString('\n')
		if err != nil || line == "bye\n" {
			return
		}
		_, _ = io.WriteString(conn, line)
	}
}

// echo talks the protocol of upgrade.
func echo(c *client, request string) {
	c.send(request)
	if response := c.response("GET"); response == nil || response.StatusCode != http.StatusSwitchingProtocols {
		c.send(next)
		return
	}
	for _, line := range []string{"one\n", "two\n"} {
		c.send(line)
		c.line()
	}
	c.send("bye\n")
}

func upgradeByStatus(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "echo")
	w.WriteHeader(http.StatusSwitchingProtocols)
	a.see("Flush", http.NewResponseController(w).Flush())
	conn, _, err := http.NewResponseController(w).Hijack()
	a.see("Hijack", err)
	if err == nil {
		_ = conn.Close()
	}
}

func hijackAndWrite(a *app, w http.ResponseWriter, r *http.Request) {
	hijack(a, w, r)
	a.write(w, "too late")
}

func hijackAndPanic(a *app, w http.ResponseWriter, r *http.Request) {
	hijack(a, w, r)
	panic("after the hijack")
}

func writeAndHijack(a *app, w http.ResponseWriter, r *http.Request) {
	a.use(r)
	a.write(w, "begun")
	conn, _, err := http.NewResponseController(w).Hijack()
	a.see("Hijack", err)
	if err == nil {
		_ = conn.Close()
	}
}
