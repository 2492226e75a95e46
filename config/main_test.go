package config_test

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/tests/configtest"
)

func TestMain(m *testing.M) {
	// The clean-up of the store that scs.New makes, and that is replaced by ours.
	os.Exit(dynamotest.Main(m,
		goleak.IgnoreAnyFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup")))
}

// What the tests of configurations share.
var (
	load, mustLoad, write, withFile = configtest.Load, configtest.MustLoad, configtest.Write, configtest.WithFile
	golden, storageKey              = configtest.Golden, configtest.StorageKey
)

// fileOf is a file with every key and what it does, in which the values are set and the others commented out.
func fileOf(values map[string]string) string {
	var b strings.Builder
	var open []string // the sections that the line before was in
	for _, key := range keys.All() {
		parts := strings.Split(key.Name, ".")
		within, name := parts[:len(parts)-1], parts[len(parts)-1]
		same := 0
		for same < min(len(within), len(open)) && within[same] == open[same] {
			same++
		}
		for i := same; i < len(within); i++ {
			b.WriteString(strings.Repeat("  ", i) + within[i] + ":\n")
		}
		open = within
		margin := strings.Repeat("  ", len(within))
		value, set := values[key.Name]
		switch text := "'" + strings.ReplaceAll(value, "'", "''") + "'"; {
		case !set:
			name = "#" + name
		case key.Kind == keys.List:
			value = "[" + value + "]"
		case key.Kind == keys.Map:
			value = "{" + strings.ReplaceAll(value, "=", ": ") + "}"
		default:
			value = text
		}
		b.WriteString(margin + "# " + key.Doc + "\n" + margin + name + ": " + value + "\n")
	}
	return b.String()
}

// newSecret draws a secret, and returns it as it is written in a file or a variable.
func newSecret() string {
	b := make([]byte, sessionstore.MinSecretBytes)
	_, _ = rand.Read(b) // It never fails.
	return base64.StdEncoding.EncodeToString(b)
}
