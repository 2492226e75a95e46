package terminal_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("elsewhere", 3600))
	for _, test := range []struct{ got, want string }{
		{terminal.Bytes(0), "0 B"},
		{terminal.Bytes(999), "999 B"},
		{terminal.Bytes(1000), "1.0 kB"},
		{terminal.Bytes(99_400), "99.4 kB"},
		{terminal.Bytes(999_499), "999 kB"},
		{terminal.Bytes(999_500), "1.0 MB"},
		{terminal.Bytes(1_234_567_890_123_456_789), "1235 PB"},
		{terminal.Number(0), "0"},
		{terminal.Number(999), "999"},
		{terminal.Number(1000), "1 000"},
		{terminal.Number(-1_234_567), "-1 234 567"},
		{terminal.Number(-123), "-123"},
		{terminal.Count(1, "session", "sessions"), "1 session"},
		{terminal.Count(0, "session", "sessions"), "0 sessions"},
		{terminal.Time(time.Time{}), "-"},
		{terminal.Time(now), "2026-01-02 02:04:05Z"},
		{terminal.Duration(1500 * time.Microsecond), "1.5ms"},
		{terminal.Duration(15 * time.Millisecond), "15ms"},
		{terminal.Duration(59 * time.Second), "59s"},
		{terminal.Duration(60 * time.Second), "1m"},
		{terminal.Duration(61 * time.Second), "1m1s"},
		{terminal.Duration(3*time.Hour + 12*time.Minute + 59*time.Second), "3h12m"},
		{terminal.Duration(49 * time.Hour), "2d1h"},
		{terminal.From(now, now.Add(time.Minute)), "in 1m"},
		{terminal.From(now, now.Add(-time.Minute)), "1m ago"},
	} {
		if test.got != test.want {
			t.Errorf("got %q; want %q", test.got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	table := (&terminal.Terminal{Out: &out}).NewTable("NAME", "N", "LAST").AlignRight(1)
	row := func(cells ...string) {
		var all []terminal.Cell
		for _, cell := range cells {
			all = append(all, terminal.Cell{Text: cell, Style: terminal.Good})
		}
		table.Row(all...)
	}
	row("größer", "1", "x")
	row("a", "1000", "yy")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	row("b", "2", "") // Columns stay as wide as they were.
	row("one that is longer than its column")
	row("b", "a cell over two columns")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = "NAME       N  LAST\ngrößer     1  x\na       1000  yy\nb          2  \none that is longer than its " +
		"column\nb       a cell over two columns\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	out.Reset()
	if err := table.Flush(); err != nil || out.Len() > 0 {
		t.Errorf("what was written is written again: %q, %v", out.String(), err)
	}
}

var errWrite = errors.New("the disk is full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errWrite }

func TestTableReportsWriteErrors(t *testing.T) {
	t.Parallel()
	if err := (&terminal.Terminal{Out: fullDisk{}}).NewTable("NAME").Flush(); !errors.Is(err, errWrite) {
		t.Errorf("got %v; want that of the writer", err)
	}
}

func TestPaint(t *testing.T) {
	t.Parallel()
	colored, plain := &terminal.Terminal{OutColor: true}, &terminal.Terminal{}
	if got := plain.Paint("word", terminal.Bad); got != "word" {
		t.Errorf("without colour, the word is %q", got)
	}
	if got := colored.Paint("word", terminal.Bad); !strings.HasPrefix(string(got), "\x1b[") ||
		!strings.Contains(string(got), "word") {
		t.Errorf("in colour, the word is %q", got)
	}
	if got := colored.PaintErr("word", terminal.Bad); got != "word" {
		t.Errorf("the colour of one stream is in the other: %q", got)
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{"yes\n": "yes", "  sessions \r\nmore\n": "sessions", "": "", "cut": "cut"} {
		var shown strings.Builder
		answer, err := (&terminal.Terminal{In: strings.NewReader(input), Err: &shown}).Ask(t.Context(), "Sure?")
		if err != nil || answer != want || shown.String() != "Sure? " {
			t.Errorf("%q: answer %q, shown %q, %v; want %q", input, answer, shown.String(), err, want)
		}
	}
}

// A question that nobody answers ends with the context.
func TestAskEnds(t *testing.T) {
	t.Parallel()
	in, never := io.Pipe()
	t.Cleanup(func() { _ = never.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&terminal.Terminal{In: in, Err: io.Discard}).Ask(ctx, "Sure?"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want context.Canceled", err)
	}
}

// Where nobody watches, nothing is shown; and all can be called.
func TestProgressUnwatched(t *testing.T) {
	t.Parallel()
	var shown strings.Builder
	unwatched := &terminal.Terminal{Err: &shown}
	p := unwatched.NewProgress("work", 10)
	p.Set(5)
	p.Done()
	unwatched.Wait(t.Context(), "work").Done()
	if shown.Len() > 0 {
		t.Errorf("shown is %q", shown.String())
	}
}
