package sessionstore

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strings"
)

// A typist is a model of how people type: the chance of each next symbol, by those before. A secret is refused as typed
// where the model gives its base64, or its hexadecimal digits, a chance that is 2³⁶ times that of a random text.
//
// That refuses hardly any random secret, whatever the model is, as long as its chances add up to 1. Over all texts of n
// random symbols out of 64, the quotient of the two chances has the mean 1, for the sum of 64⁻ⁿ·(the model's
// chance)/64⁻ⁿ is that of the model's chances. So, by Markov's inequality, it is 2³⁶ or more for at most one in 2³⁶ of
// them. The last symbol in base64 of 32 random bytes has 4 random bits, that of others 2 at least, which makes the mean
// 16 at most. Together with the hexadecimal digits, less than 17/2³⁶ = 2.5·10⁻¹⁰ of all random secrets are refused,
// however long they are.
const typedBits = 36

// typed reports whether a secret in base64 or hexadecimal looks as if somebody had typed it.
func typed(secret []byte) bool {
	return typedBase64(base64.RawStdEncoding.EncodeToString(secret)) >= typedBits ||
		typedHex(hex.EncodeToString(secret)) >= typedBits
}

// typedBase64 and typedHex return by how many bits a text is more likely to be typed than to be drawn at random.
func typedBase64(text string) float64 {
	return saves(base64Habits, symbolsOf(text, base64Symbols), len(base64Symbols))
}

func typedHex(text string) float64 {
	return saves(hexHabits, symbolsOf(text, hexSymbols), len(hexSymbols))
}

const (
	base64Symbols = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	hexSymbols    = "0123456789abcdef"
	letters       = 26
)

// symbolsOf returns the places of the text's symbols in their alphabet.
func symbolsOf(text, alphabet string) []byte {
	b := make([]byte, len(text))
	for i := range text {
		b[i] = byte(strings.IndexByte(alphabet, text[i])) //nolint:gosec // It is there.
	}
	return b
}

// habit is the chance that next follows the text, for one way of typing. Over all symbols, the chances add up to 1.
type habit func(text []byte, next byte) float64

// typist mixes habits. Those that foresaw what was typed weigh more.
type typist struct {
	habits  []habit
	weights []float64
	chances []float64 // of the symbol that was looked at last, by habit
}

func newTypist(habits []habit) *typist {
	t := &typist{habits: habits, weights: make([]float64, len(habits)), chances: make([]float64, len(habits))}
	for i := range t.weights {
		t.weights[i] = 1 / float64(len(habits))
	}
	return t
}

// saves returns by how many bits a text of symbols is more likely to be typed than to be random.
func saves(habits []habit, text []byte, symbols int) (bits float64) {
	t := newTypist(habits)
	for i, next := range text {
		chance := t.chance(text[:i], next)
		bits += math.Log2(chance * float64(symbols))
		t.learn(chance)
	}
	return bits
}

// chance returns that of the symbol to be the next.
func (t *typist) chance(text []byte, next byte) (chance float64) {
	for i, habit := range t.habits {
		t.chances[i] = habit(text, next)
		chance += t.weights[i] * t.chances[i]
	}
	return chance
}

// learn gives the habits weight by the chance of the symbol that came. Each keeps a little, for a typist may change
// them.
func (t *typist) learn(chance float64) {
	const change = 1.0 / 64
	for i := range t.weights {
		t.weights[i] = (1-change)*t.weights[i]*t.chances[i]/chance + change/float64(len(t.weights))
	}
}

var (
	base64Habits = slices.Concat(habitsFor(len(base64Symbols)), []habit{word, among(0, letters), among(letters, letters)},
		keyboards())
	hexHabits = append(habitsFor(len(hexSymbols)), among(0, 10))
)

// habitsFor are those with any symbols: random ones, repetition, and counting.
func habitsFor(symbols int) []habit {
	all := make([]byte, symbols)
	for i := range all {
		all[i] = byte(i)
	}
	return []habit{
		among(0, symbols), sure(symbols, echo), step(symbols, all, 0, 1), step(symbols, all, 1, 1),
		step(symbols, all, -1, 1), step(symbols, all, 1, 2),
	}
}

// among is any of n symbols.
func among(from, n int) habit {
	return func(_ []byte, next byte) float64 {
		if i := int(next) - from; i >= 0 && i < n {
			return 1 / float64(n)
		}
		return 0
	}
}

// sure is nearly sure of one symbol, where there is one.
func sure(symbols int, predict func(text []byte) (byte, bool)) habit {
	const doubt = 0.1
	return func(text []byte, next byte) float64 {
		predicted, ok := predict(text)
		switch {
		case !ok:
			return 1 / float64(symbols)
		case predicted == next:
			return 1 - doubt + doubt/float64(symbols)
		default:
			return doubt / float64(symbols)
		}
	}
}

// step is sure of what stands so many symbols further in an order than the last one, or the one before.
func step(symbols int, order []byte, by, back int) habit {
	var next [len(base64Symbols)]struct {
		symbol byte
		known  bool
	}
	for i, symbol := range order {
		next[symbol].symbol, next[symbol].known = order[(i+by+len(order))%len(order)], true
	}
	return sure(symbols, func(text []byte) (byte, bool) {
		if len(text) < back {
			return 0, false
		}
		n := next[text[len(text)-back]]
		return n.symbol, n.known
	})
}

// echo predicts what followed the last two symbols when they stood there before, not long ago: a random secret may be
// there twice.
func echo(text []byte) (byte, bool) {
	const longAgo = 40 // symbols, of which 32 bytes are more
	n := len(text)
	for i := n - 2; i >= max(1, n-longAgo); i-- {
		if text[i] == text[n-1] && text[i-1] == text[n-2] {
			return text[i+1], true
		}
	}
	return 0, false
}

// keyboards are the keys in the order in which they lie, to and fro.
func keyboards() (habits []habit) {
	for _, rows := range []string{
		"1234567890qwertyuiopasdfghjklzxcvbnm", "1234567890qwertzuiopasdfghjklyxcvbnm",
		"1234567890azertyuiopqsdfghjklmwxcvbn",
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
	} {
		for _, keys := range []string{rows, strings.ToUpper(rows)} {
			order := symbolsOf(keys, base64Symbols)
			habits = append(habits, step(len(base64Symbols), order, 1, 1), step(len(base64Symbols), order, -1, 1))
		}
	}
	return habits
}

// What letters are followed by in English words, the most frequent first, and what words begin with.
var (
	followers = ranksOf(
		"trlnscmdbipguvkyfewaxhzjoq", "leauoisrcybdjftpmgnxkhzvwq", "oethaklriucsdpfmbyvnxgwjzq",
		"eiaodsurlfbctyngmpvhwjkxqz",
		"rsndtcalxmfpevgbyiqwoukhjz", "iofeaurltsdcybpnmgwkhvxqjz", "erisnhoaulgtmcybpfdzwvkjqx",
		"eaoitrulmsnypkdcwbfghvqjxz",
		"ntosclmeagdbrvfpzxkuijqhyw", "esaouicpdjwtlknmhrfbvgqzyx", "eisaoulntdhrgwpyfmkbcjvqzx",
		"eiaolystudfpvcbmgnkrjhwxzq",
		"eapiomsbuldtynckfrgwjvhxqz", "tgsedacionfuvklypmrhbwjzqx", "nrmlducsptowvgbfikaexyjhzq",
		"eraoltpiushydcfmnkgvbwzxqj",
		"utsrlvbqypnadzioxcmwfejkgh", "eiaostrmydcnuglkvpfbwhzxqj", "teisouhpcalykmfrnwdgqvbzxj",
		"eiraohstyulcpfmdwnbzxvkgqj",
		"ntrslmebpicafdgoxkzvuyhwqj", "eaiosmctprvnygulfwbdxqzkhj", "aieorhsnwlcdmptvgkxqfyuzbj",
		"tpeicasxmyfrlvdobzuhnqwgkj",
		"psntlmaeoriwcgbuvdzfyhkxqj", "eiazolymtqushrwvpncxkfjbgd",
	)
	first = ranksOf("scpardmtbifewhlnogukvjqyzx")[0]
)

// ranks are the chances of letters.
type ranks [letters]float64

// ranksOf returns the chances of letters by how frequent they are: each has the same part of the one before.
func ranksOf(orders ...string) []ranks {
	const decay = 0.85
	all := make([]ranks, len(orders))
	for i, order := range orders {
		for rank, letter := range order {
			all[i][letter-'a'] = (1 - decay) * math.Pow(decay, float64(rank)) / (1 - math.Pow(decay, letters))
		}
	}
	return all
}

// Classes of symbols, in the order of the alphabet of base64.
const (
	upper = iota
	lower
	digit
	other
	start // before the first symbol
)

func classOf(symbol byte) int {
	switch {
	case symbol < letters:
		return upper
	case symbol < 2*letters:
		return lower
	case symbol < 2*letters+10:
		return digit
	default:
		return other
	}
}

// nextClass are the chances of classes, by the one before; capitals are those behind more than one capital letter.
var nextClass = [...][4]float64{
	upper: {0.2, 0.78, 0.01, 0.01}, lower: {0.12, 0.82, 0.03, 0.03}, digit: {0.2, 0.2, 0.5, 0.1},
	other: {0.4, 0.5, 0.08, 0.02},
	start: {0.4, 0.5, 0.08, 0.02}, capitals: {0.86, 0.06, 0.04, 0.04},
}

const capitals = start + 1

// word is a text of words, each behind the last one, with a capital letter, or behind a digit or another sign.
func word(text []byte, next byte) float64 {
	n := len(text)
	before := start
	if n > 0 {
		before = classOf(text[n-1])
	}
	if n > 1 && before == upper && classOf(text[n-2]) == upper {
		before = capitals
	}
	class := classOf(next)
	chance := nextClass[before][class]
	switch {
	case class == digit:
		return chance / 10
	case class == other:
		return chance / 2
	case before == upper, before == capitals, before == lower && class == lower:
		return chance * followers[text[n-1]%letters][next%letters]
	default:
		return chance * first[next%letters]
	}
}
