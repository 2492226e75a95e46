package sessionstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for size := sessionstore.MinSecretBytes; size < sessionstore.MinSecretBytes+40; size++ {
		want := make([]byte, size)
		_, _ = rand.Read(want)
		for name, text := range map[string]string{
			"base64":                 base64.StdEncoding.EncodeToString(want),
			"base64, no padding":     base64.RawStdEncoding.EncodeToString(want),
			"base64 URL":             base64.URLEncoding.EncodeToString(want),
			"base64 URL, no padding": base64.RawURLEncoding.EncodeToString(want),
			"hex":                    hex.EncodeToString(want),
			"HEX":                    strings.ToUpper(hex.EncodeToString(want)),
		} {
			for _, around := range []string{"%s", "%s\n", "%s\r\n", " %s\t\n\n"} {
				got, err := sessionstore.ParseSecret(fmt.Sprintf(around, text))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes as %s in %q: %v, the same %v", size, name, around, err, bytes.Equal(got, want))
				}
			}
		}
	}
	random := base64.StdEncoding.EncodeToString(storetest.Secret(1))
	unpadded := base64.StdEncoding.EncodeToString(append([]byte{7}, storetest.Secret(1)...)) // 33 bytes
	for name, text := range map[string]string{
		"nothing": "", "a line break": "\n", "short": base64.StdEncoding.EncodeToString(storetest.Secret(1)[:31]),
		"a word":    "correct horse battery staple",
		"two lines": random + "\n" + random, "no end": random[:len(random)-2], "too much padding": random + "==",
		"padding where none belongs": unpadded + "=", "a group of padding": unpadded + "====", "quoted": `"` + random + `"`,
		"both alphabets": "+/-_" + random[4:], "bits to spare": random[:42] + "F=", "with its name": "SECRET=" + random,
	} {
		secret, err := sessionstore.ParseSecret(text)
		var wrong *sessionstore.InvalidSecretError
		if !errors.As(err, &wrong) || secret != nil || wrong.Source != "" {
			t.Errorf("%s: %d bytes, %v; want a InvalidSecretError", name, len(secret), err)
		}
		if piece := text; len(piece) > 8 && err != nil && strings.Contains(err.Error(), piece[4:12]) {
			t.Errorf("%s: the error tells the text", name)
		}
	}
}

// What people take for a secret is refused, however it is given; what was drawn at random is not.
func TestWeakSecrets(t *testing.T) {
	t.Parallel()
	numbers := func(step byte) []byte {
		b := make([]byte, 64)
		for i := range b {
			b[i] = byte(i) * step
		}
		return b
	}
	wide := func(text string) (b []byte) {
		for _, unit := range utf16.Encode([]rune(text)) {
			b = binary.LittleEndian.AppendUint16(b, unit)
		}
		return b
	}
	counter := func() (b []byte) {
		for i := range uint64(8) {
			b = binary.BigEndian.AppendUint64(b, i)
		}
		return b
	}
	random := storetest.Secret(7)
	for name, secret := range map[string][]byte{
		"31 bytes":                random[:31],
		"zeros":                   make([]byte, 32),
		"a lot of zeros":          make([]byte, 4096),
		"one letter":              bytes.Repeat([]byte("a"), 32),
		"one byte":                bytes.Repeat([]byte{0xfe}, 48),
		"a short piece":           bytes.Repeat([]byte{0x9f, 0x00, 0xc3, 0xe1}, 10),
		"16 bytes twice":          bytes.Repeat(random[:16], 2),
		"16 bytes and some":       append(bytes.Repeat(random[:16], 3), random[:5]...),
		"counting":                numbers(1),
		"counting by seven":       numbers(7),
		"counting down":           numbers(255),
		"a counter":               counter(),
		"16 bytes and padding":    append(bytes.Clone(random[:16]), make([]byte, 16)...),
		"a word again and again":  []byte("passwordpasswordpasswordpassword"),
		"a sentence":              []byte("correct horse battery staple, and some more words"),
		"a sentence with newline": []byte("the quick brown fox jumps over the lazy dog\n"),
		"a row of keys":           []byte("qwertyuiopasdfghjklzxcvbnm1234567890"),
		"Cyrillic":                []byte("правильнаялошадьбатареяскрепка"),
		"Chinese":                 []byte("正確的馬電池釘書針正確的馬電池"),
		"UTF-16":                  wide("correct horse battery staple, and more"),
		"base64 typed as bytes":   []byte(base64.StdEncoding.EncodeToString(random)),
		"hex typed as bytes":      []byte(hex.EncodeToString(random)),
		"text with a zero":        []byte("correct horse battery staple, and more\x00"),
		"a few bits":              bytes.Repeat([]byte{1, 2, 1, 1, 2, 2, 1, 2, 2, 2, 1}, 5),
	} {
		if sessionstore.WeaknessOf(secret) == "" {
			t.Errorf("%s: it is not refused", name)
		}
		for what, option := range map[string]sessionstore.Option{
			"current": sessionstore.WithSecret(secret), "previous": sessionstore.WithSecret(random, secret),
		} {
			if _, err := sessionstore.New(memory.New(), option); err == nil {
				t.Errorf("%s: a store takes it as the %s secret", name, what)
			}
		}
		if got, err := sessionstore.ParseSecret(base64.StdEncoding.EncodeToString(secret)); err == nil || got != nil {
			t.Errorf("%s: ParseSecret takes it", name)
		}
	}
	for range 10_000 {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret)
		if weakness := sessionstore.WeaknessOf(secret); weakness != "" {
			t.Fatalf("a random secret %s: %x", weakness, secret)
		}
	}
	for _, size := range []int{17, 20, 31} {
		if twice := append(bytes.Clone(random[:size]), random[:size]...); sessionstore.WeaknessOf(twice) == "" {
			t.Errorf("%d random bytes, twice, are accepted", size)
		}
	}
	// as good as the half of it
	if weakness := sessionstore.WeaknessOf(append(bytes.Clone(random), random...)); weakness != "" {
		t.Errorf("a random secret twice %s", weakness)
	}
	for size := sessionstore.MinSecretBytes; size < 600; size++ {
		secret := make([]byte, size)
		_, _ = rand.Read(secret)
		if weakness := sessionstore.WeaknessOf(secret); weakness != "" {
			t.Fatalf("%d random bytes: %s", size, weakness)
		}
	}
}

// The bounds of what is refused are settled, as they are for all secrets that are in use.
func TestWeaknessBounds(t *testing.T) {
	t.Parallel()
	const text, short, little = "is text", "repeats a short piece", "too little variety"
	of := func(digits string) []byte {
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	printable := "Zq8#fT!x2Lw$Vb7^Jm(Yd)4Kc&Gh5*Rn~ Pe"
	random := storetest.Secret(7)
	for name, test := range map[string]struct {
		secret []byte
		want   string
	}{
		"one byte in 32 that cannot be typed":    {[]byte(printable[:31] + "\xff"), text},
		"two bytes in 32":                        {[]byte(printable[:30] + "\xff\xfe"), ""},
		"two bytes in 33":                        {[]byte(printable[:31] + "\xff\xfe"), text},
		"two bytes below what can be typed":      {[]byte(printable[:30] + "\x1f\x01"), ""},
		"two bytes behind it":                    {[]byte(printable[:30] + "\x7f\x80"), ""},
		"the first and the last that can be":     {[]byte(printable[:26] + " ~ ~ ~\xff"), text},
		"tabs and ends of lines":                 {[]byte(printable[:26] + "\t\t\n\n\r\r\xff"), text},
		"Cyrillic":                               {[]byte("правильная лошадь\tбатарея скрепка"), text},
		"Chinese":                                {[]byte("正確的馬電池釘書針正確的馬電池"), text},
		"Chinese, and no character":              {[]byte("正確的馬電池釘書針\xff天地玄黃宇宙洪荒"), ""},
		"Chinese, and what is not printed":       {[]byte("正確的馬電池釘書針\x01天地玄黃宇宙洪荒"), ""},
		"31 bytes twice":                         {bytes.Repeat(random[:31], 2), short},
		"31 bytes, and nearly all of them again": {append(bytes.Clone(random[:31]), random[:30]...), ""},
		"16 different bytes, 16 steps": {
			of("5e330479dfdfdfdf5405d6628c54b5df9054b5b5b533794a794a4a900534e5e54a4a79793333bf90"), "",
		},
		"15 different bytes": {
			of("d843aeae9a86e8adae9aade3e3192c87738687adbde37475ae737487879a73747575d8d8e8ad74ad"), little,
		},
		"15 different steps": {
			of("b5b5c0c0e4e4e6a3b5b5d925b3a6f3e6e408b3ff252525b3ffff8383e6e6e6e40ab5d9e48f8f8f8d"), little,
		},
		"one byte in four is the same": {
			of("a9a293db93e75d5d64a3fc03fcf9a2a9a29fa2a2a9ac9de9a2a9fda2a9a9b2b23ea2a2a2ababb24e"), "",
		},
		"more than that": {
			of("4c72a0cecea57cd2a9cc9e420dcea0a2cea099a0a0a0347fa0a0a8a8a8a8cefcc5be9e9ea0a0a0a8"), little,
		},
	} {
		got := sessionstore.WeaknessOf(test.secret)
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q; want %q", name, got, test.want)
		}
	}
}

func TestSecretFromEnv(t *testing.T) {
	want := storetest.Secret(1)
	t.Setenv("SESSION_SECRET", base64.StdEncoding.EncodeToString(want)+"\n")
	if got, err := sessionstore.SecretFromEnv("SESSION_SECRET"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v", err)
	}
	t.Setenv("SESSION_SECRET", "")
	for _, name := range []string{"SESSION_SECRET", "SESSION_SECRET_MISSING"} {
		var wrong *sessionstore.InvalidSecretError
		if _, err := sessionstore.SecretFromEnv(name); !errors.As(err, &wrong) || wrong.Source != name ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretFromFile(t *testing.T) { // not parallel: it looks at the default logger
	want := storetest.Secret(1)
	text := base64.StdEncoding.EncodeToString(want) + "\n"
	file := func(content string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	unix := runtime.GOOS != "windows"
	open := file(text, 0o600)
	if err := os.Chmod(filepath.Dir(open), 0o777); err != nil {
		t.Fatal(err)
	}
	sticky := file(text, 0o600)
	if err := os.Chmod(filepath.Dir(sticky), os.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	link := func(target string) string {
		path := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(target, path); err != nil && unix {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		path           string
		refused, warns bool
	}{
		"one's own":                  {path: file(text, 0o600)},
		"read only":                  {path: file(text, 0o400)},
		"for a group":                {path: file(text, 0o640)},
		"for all":                    {path: file(text, 0o644), warns: unix},
		"for all, read only":         {path: file(text, 0o444), warns: unix},
		"a group may write":          {path: file(text, 0o660), refused: unix},
		"all may write":              {path: file(text, 0o666), refused: unix},
		"only others may write":      {path: file(text, 0o602), refused: unix},
		"in a directory of all":      {path: open, refused: unix},
		"in a sticky directory":      {path: sticky},
		"a link to one's own":        {path: link(file(text, 0o600)), refused: !unix},
		"a link to one of all":       {path: link(file(text, 0o666)), refused: true},
		"a link into a dir of all":   {path: link(open), refused: true},
		"missing":                    {path: filepath.Join(t.TempDir(), "missing"), refused: true},
		"a directory":                {path: t.TempDir(), refused: true},
		"no secret":                  {path: file("secret\n", 0o600), refused: true},
		"bytes as they are":          {path: file(string(want), 0o600), refused: true},
		"a file that is much larger": {path: file(strings.Repeat(text, 1000), 0o600), refused: true},
	} {
		var log bytes.Buffer
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		got, err := sessionstore.SecretFromFile(c.path)
		slog.SetDefault(before)
		var wrong *sessionstore.InvalidSecretError
		switch {
		case c.refused && (!errors.As(err, &wrong) || wrong.Source != c.path || got != nil):
			t.Errorf("%s: %v; want a InvalidSecretError", name, err)
		case !c.refused && (err != nil || !bytes.Equal(got, want)):
			t.Errorf("%s: %v", name, err)
		}
		if warned := strings.Contains(log.String(), "level=WARN"); warned != c.warns {
			t.Errorf("%s: warned %v; want %v", name, warned, c.warns)
		}
		if strings.Contains(fmt.Sprint(err)+log.String(), strings.TrimSpace(text)) {
			t.Errorf("%s: the secret is told", name)
		}
	}
	if _, err := sessionstore.SecretFromFile(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v; want fs.ErrNotExist", err)
	}
}

// A secret in the place of a name is not repeated.
func TestI9_SecretInPlaceOfItsName(t *testing.T) {
	t.Parallel()
	raw := storetest.Secret(1)
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), hex.EncodeToString(raw),
		base64.StdEncoding.EncodeToString(raw) + "\n",
	} {
		for name, read := range map[string]func(string) (sessionstore.Secret, error){
			"file":     sessionstore.SecretFromFile,
			"variable": sessionstore.SecretFromEnv,
		} {
			_, err := read(text)
			var wrong *sessionstore.InvalidSecretError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "ParseSecret") {
				t.Errorf("%s: %v; want a InvalidSecretError that says what to do", name, err)
			}
			for ; err != nil; err = errors.Unwrap(err) {
				if strings.Contains(fmt.Sprintf("%+v %#v", err, err), text[8:20]) {
					t.Errorf("%s: the secret is told by %T", name, err)
				}
			}
		}
	}
}

// A secret is printed nowhere, whatever is done with it.
func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	secret := sessionstore.Secret(storetest.Secret(1))
	var outputs []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x", "%T %v"} {
		outputs = append(outputs, fmt.Sprintf(strings.Replace(verb, "%T ", "", 1), secret),
			fmt.Sprintf(strings.Replace(verb, "%T ", "", 1), struct{ S sessionstore.Secret }{secret}))
	}
	text, err := json.Marshal(map[string]any{"secret": secret})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).InfoContext(context.Background(), "text", "secret", secret)
	for _, value := range []any{secret, &secret, struct{ S sessionstore.Secret }{secret}, []sessionstore.Secret{secret}} {
		var encoded bytes.Buffer
		if err := gob.NewEncoder(&encoded).Encode(value); err == nil || bytes.Contains(encoded.Bytes(), secret) {
			t.Errorf("gob encodes a %T: %v", value, err)
		}
	}
	for _, output := range append(outputs, string(text), log.String()) {
		if !strings.Contains(output, "redacted") || len(output) > 200 {
			t.Errorf("printed as %s", output)
		}
	}
}

// Nothing that is made from a secret is in any field that a printer or a dumper can reach from a store.
func TestStoreHoldsNoKeyInItsFields(t *testing.T) {
	t.Parallel()
	secrets := [][]byte{storetest.Secret(1), storetest.Secret(2), storetest.Secret(3)}
	store := newStore(t, nil, sessionstore.WithSecret(secrets[0], secrets[1]),
		sessionstore.WithPreviousSecret(secrets[2], time.Now().Add(time.Hour)))
	keys := append(secrets, sessionstore.KeysOf(secrets[0], "namespace:")...)
	keys = append(keys, sessionstore.KeysOf(secrets[2], "namespace:")...)
	contains := func(where string, b []byte) {
		for _, key := range keys {
			if bytes.Contains(b, key[:16]) {
				t.Errorf("%s holds a key", where)
			}
		}
	}
	seen := map[uintptr]bool{}
	var walk func(where string, v reflect.Value)
	walk = func(where string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice:
			if v.IsNil() || v.Kind() == reflect.Pointer && seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(where, v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(where+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.String:
			contains(where, []byte(v.String()))
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				b := make([]byte, v.Len())
				for i := range b {
					b[i] = byte(v.Index(i).Uint())
				}
				contains(where, b)
				return
			}
			for i := range v.Len() {
				walk(where+"[]", v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(where+"{}", v.MapIndex(key))
			}
		}
	}
	walk("Store", reflect.ValueOf(store))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, printed := range []string{fmt.Sprintf(verb, store), fmt.Sprintf(verb, *store)} {
			for _, key := range keys {
				for _, form := range []string{"%v", "%#v", "%x", "%X", "%s"} {
					if strings.Contains(printed, strings.Trim(fmt.Sprintf(form, key[:16]), "[]{}byte")) {
						t.Errorf("a key is in %s", verb)
					}
				}
			}
		}
	}
}
