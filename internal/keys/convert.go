package keys

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Convert takes a value as code has it: a string as in a variable, or a value of the Go type that fits the kind.
func (k Key) Convert(value any) (any, string) {
	given := value
	switch v := value.(type) {
	case string:
		return k.ParseLine(v)
	case int:
		value = int64(v)
	}
	if n, whole := value.(int64); whole && k.Kind == Number {
		value = float64(n)
	}
	if kind, bytes := kindOf(value); kind != k.Kind || bytes && !k.Secret {
		return nil, fmt.Sprintf("a value of the Go type %T does not fit; the key is of the kind %s", given, k.Kind)
	}
	switch v := value.(type) {
	case []byte:
		return NewSecret(slices.Clone(v)), checkSecret(v)
	case [][]byte:
		return convertSecrets(v)
	case []string:
		return k.ParseList(slices.Concat([]string{}, v))
	case map[string]string:
		return k.ParseMap(maps.Clone(v))
	default:
		return v, k.judge(v, Format(v))
	}
}

// kindOf returns the kind that a Go value is for, and whether it has the bytes of secrets. It is empty for other types.
func kindOf(value any) (kind Kind, bytes bool) {
	switch value.(type) {
	case time.Duration:
		return Duration, false
	case int64:
		return Integer, false
	case float64:
		return Number, false
	case bool:
		return Boolean, false
	case []string:
		return List, false
	case map[string]string:
		return Map, false
	case []byte:
		return Text, true
	case [][]byte:
		return List, true
	default:
		return "", false
	}
}

func convertSecrets(all [][]byte) (any, string) {
	secrets := make([]Secret, len(all))
	for i, b := range all {
		secrets[i] = NewSecret(slices.Clone(b))
		if wrong := checkSecret(b); wrong != "" {
			return nil, fmt.Sprintf("item %d: %s", i+1, wrong)
		}
	}
	return secrets, ""
}
