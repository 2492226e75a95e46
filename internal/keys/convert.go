package keys

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Convert takes a value as code has it.
func (k Key) Convert(value any) (any, string) {
	switch v := value.(type) {
	case string:
		return k.ParseLine(v)
	case []byte:
		if k.Secret && k.Kind == Text {
			return NewSecret(slices.Clone(v)), checkSecret(v)
		}
	case [][]byte:
		if k.Secret && k.Kind == List {
			secrets := make([]Secret, len(v))
			for i, b := range v {
				secrets[i] = NewSecret(slices.Clone(b))
				if wrong := checkSecret(b); wrong != "" {
					return nil, fmt.Sprintf("item %d: %s", i+1, wrong)
				}
			}
			return secrets, ""
		}
	case time.Duration:
		if k.Kind == Duration {
			return v, k.judge(v, FormatDuration(v))
		}
	case int:
		if k.Kind == Integer || k.Kind == Number {
			return k.Convert(int64(v))
		}
	case int64:
		switch k.Kind {
		case Integer:
			return v, k.judge(v, Format(v))
		case Number:
			return float64(v), k.judge(float64(v), Format(v))
		}
	case float64:
		if k.Kind == Number {
			return v, k.judge(v, Format(v))
		}
	case bool:
		if k.Kind == Boolean {
			return v, ""
		}
	case []string:
		if k.Kind == List {
			return k.ParseList(slices.Concat([]string{}, v))
		}
	case map[string]string:
		if k.Kind == Map {
			return k.ParseMap(maps.Clone(v))
		}
	}
	return nil, fmt.Sprintf("a value of the Go type %T does not fit; the key is of the kind %s", value, k.Kind)
}
