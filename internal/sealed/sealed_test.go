package sealed_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/sealed"
)

func TestLikely(t *testing.T) {
	t.Parallel()
	gob, err := scs.GobCodec{}.Encode(time.Now(), map[string]any{"user": "u"})
	if err != nil {
		t.Fatal(err)
	}
	rest := bytes.Repeat([]byte{7}, 60)
	for name, test := range map[string]struct {
		data []byte
		want bool
	}{
		"format 1":  {append([]byte{1}, rest...), true},
		"format 2":  {append([]byte{2}, rest...), true},
		"too short": {[]byte{2, 1, 2, 3}, false},
		"nothing":   {nil, false},
		"zero":      {append([]byte{0}, rest...), false},
		"JSON":      {append([]byte(`{"a":`), rest...), false},
		"gob":       {gob, false},
	} {
		if got := sealed.Likely(test.data); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
