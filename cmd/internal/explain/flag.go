package explain

import (
	"cmp"
	"errors"

	"github.com/spf13/pflag"
)

// Flag says what is wrong with flags that cobra does not understand. It repeats neither them nor their values: what
// stands in the wrong place may be a token or a secret.
func Flag(err error) string {
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		wrong   *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		return "it does not have such a flag"
	case errors.As(err, &missing):
		return "--" + missing.GetFlag().Name + " needs a value"
	case errors.As(err, &wrong):
		kinds := map[string]string{
			"int": "a number", "duration": "a time with its unit, such as 30s",
			"bool": "true or false",
		}
		return "--" + wrong.GetFlag().Name + " must be " + cmp.Or(kinds[wrong.GetFlag().Value.Type()], "another value")
	default:
		return "a flag is not written as one"
	}
}
