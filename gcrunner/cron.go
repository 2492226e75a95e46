package gcrunner

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// cronField is one of the five fields of a cron expression.
type cronField struct {
	name        string
	least, most int
	words       []string // for the numbers from least on
}

var cronFields = []cronField{
	{name: "minute", most: 59},
	{name: "hour", most: 23},
	{name: "day of the month", least: 1, most: 31},
	{name: "month", least: 1, most: 12, words: strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")},
	{name: "day of the week", most: 7, words: strings.Fields("SUN MON TUE WED THU FRI SAT")},
}

// cronTags are what other dialects have for expressions of five fields.
var cronTags = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// validateCron reports what is wrong with a cron expression, and in which of its fields.
func validateCron(expression string) error {
	if wrong := cronMistake(expression); wrong != "" {
		return fmt.Errorf("%q is not a cron expression of five fields: %s", expression, wrong)
	}
	if _, err := gronx.NextTickAfter(expression, time.Now().UTC(), false); err != nil {
		return fmt.Errorf("this cron expression is never due: %q", expression)
	}
	return nil
}

func cronMistake(expression string) string {
	fields := strings.Fields(expression)
	switch n := len(fields); {
	case n > 0 && strings.EqualFold(fields[0], "@every"):
		return "for an interval set Interval"
	case n > 0 && strings.HasPrefix(fields[0], "@"):
		if five, ok := cronTags[strings.ToLower(fields[0])]; ok {
			return "for " + fields[0] + " write " + five
		}
		return fmt.Sprintf("there is no %q", fields[0])
	case n > 0 && (strings.HasPrefix(fields[0], "TZ=") || strings.HasPrefix(fields[0], "CRON_TZ=")):
		return "for a time zone set Zone"
	case n > len(cronFields):
		return fmt.Sprintf("it has %d; seconds and years are not among them", n)
	case n != len(cronFields):
		return fmt.Sprintf("it has %d; write it as in 17 3 * * *", n)
	}
	for i, field := range fields {
		for element := range strings.SplitSeq(field, ",") {
			if wrong := cronFields[i].mistake(element); wrong != "" {
				return cronFields[i].name + ": " + wrong
			}
			// Elements are looked at one by one: of a whole list, gronx may look only at those up to the one that is
			// due.
			alone := []string{"*", "*", "*", "*", "*"}
			alone[i] = element
			if !gronx.IsValid(strings.Join(alone, " ")) {
				return fmt.Sprintf("%s: %q is not understood", cronFields[i].name, element)
			}
		}
	}
	return ""
}

// mistake says what is wrong with an element, as far as that is easily said, and is empty otherwise.
func (f cronField) mistake(element string) string {
	values, step, stepped := strings.Cut(element, "/")
	if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1) {
		return fmt.Sprintf("the step of %q must be a number from 1", element)
	}
	switch {
	case values == "":
		return fmt.Sprintf("%q has an empty element", element)
	case values == "*" || values == "?" || strings.ContainsAny(strings.TrimLeft(values, "0123456789"), "LW#"):
		return "" // the library knows the rest
	}
	first, last, ranged := strings.Cut(values, "-")
	from, wrong := f.value(first)
	if wrong != "" || !ranged {
		return wrong
	}
	to, wrong := f.value(last)
	if wrong == "" && to < from {
		return fmt.Sprintf("%q ends before it begins; write it as a list", values)
	}
	return wrong
}

// value reads a number, or a word that stands for one.
func (f cronField) value(text string) (value int, wrong string) {
	if i := slices.Index(f.words, strings.ToUpper(text)); i >= 0 {
		return f.least + i, ""
	}
	value, err := strconv.Atoi(text)
	switch {
	case err != nil && f.words != nil:
		return 0, fmt.Sprintf("%q is neither a number nor one of %s to %s", text, f.words[0], f.words[len(f.words)-1])
	case err != nil:
		return 0, fmt.Sprintf("%q is not a number", text)
	case value < f.least || value > f.most:
		return 0, fmt.Sprintf("%d is out of range; it is from %d to %d", value, f.least, f.most)
	}
	return value, ""
}
