package sessionstore_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// What was typed is no secret, although it is the base64 or the hexadecimal of enough bytes.
func TestTypedSecretsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"correcthorsebatterystaplecorrecthorsebattery",
		"CorrectHorseBatteryStapleCorrectHorseBattery",
		"qwertyuiopasdfghjklzxcvbnmqwertyuiopasdfghjk",
		"QWERTYUIOPASDFGHJKLZXCVBNMqwertyuiopasdfghjk",
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p1qaz2wsx",
		"mnbvcxzlkjhgfdsapoiuytrewq0987654321mnbvcxzl",
		"CHANGEMEPLEASETHISISADEFAULTSECRETFORSHOPAPP",
		"my-super-secret-session-signing-key-2026-v1_",
		"ReplaceThisWithYourOwnSecretKeyInProduction0",
		"THIS_IS_NOT_A_SECRET_PLEASE_REPLACE_IT_SOON_",
		"development/secret/for/the/session/store/012",
		"thequickbrownfoxjumpsoverthelazydogtwiceaday",
		"MyCompanyProductionSessionSecret2024DoNotUse",
		"thisisaverylongsecretkeythatnobodywillguess1",
		"dasisteinsehrgeheimesPasswortfuermeineSeite1",
		"AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVv",
		"1234567890abcdefghijklmnopqrstuvwxyzABCDEFGH",
		"Passw0rd123Passw0rd123Passw0rd123Passw0rd123",
		"asdkjfhqwoeiurytzmxncbvalskdjfhgqpwoeirutyal",
		"0000000000000000000000000000000000000000000A",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		"ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkji",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr",
		"3141592653589793238462643383279502884197169399375105820974944592", // hexadecimal, as are the next
		"2718281828459045235360287471352662497757247093699959574966967627",
		"00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210",
	} {
		if secret, err := sessionstore.ParseSecret(text); err == nil || secret != nil {
			asBase64, asHex := bitsOf(t, text)
			t.Errorf("%s is accepted (%.0f, %.0f bits)", text, asBase64, asHex)
		} else if strings.Contains(err.Error(), text[:6]) {
			t.Errorf("the error repeats %s: %v", text, err)
		}
	}
}

// What looks typed is settled: a release that finds more of it would refuse a secret that is in use, and one that finds
// less would take what was refused. These texts meet each habit, and its bounds.
func TestTypedBitsAreSettled(t *testing.T) {
	t.Parallel()
	const piece = "YdVhnLSokMuDgQVzQwyjfwoXRlqBSzRWrGYBOAtCYckq5Kz9+x"
	for text, want := range map[string][2]float64{
		"correcthorsebatterystaplecorrecthorsebattery":                     {119.362, -3.858},
		"CORRECTHorseBatteryStaple7/Correct+horse9bat":                     {68.033, -3.903},
		"qwertyuiopasdfghjklzxcvbnmqwertyuiopasdfghjk":                     {236.875, 51.706},
		"QWERTZUIOPASDFGHJKLYXCVBNMqwertzuiopasdfghjk":                     {229.742, -3.702},
		"azertyuiopqsdfghjklmwxcvbnAZERTYUIOPQSDFGHJK":                     {229.737, -3.976},
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p1QAZ2WSX":                     {235.417, -3.902},
		"mnbvcxzlkjhgfdsapoiuytrewq0987654321MNBVCXZL":                     {238.752, -3.826},
		"ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkji":                     {236.840, -3.904},
		"AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVv":                     {240.174, -3.683},
		"5Kq5Kq5Kq5Kq5Kq5Kq5Kq5Kq5Kq5Kq5Kq5Kq5Kq5Kq5A":                     {213.503, 111.714},
		"0101010101020202020203030303030404040404A/+A":                     {140.280, 160.263},
		"YdVhnLSokMuDgQVzQwyjfwoXRlqBSzRWrGYBOAtCYck":                      {-4.456, -3.893},
		piece[:39] + piece[:39] + "AA":                                     {207.050, -4.337}, // the longest that is seen
		piece[:40] + piece[:40]:                                            {-5.230, -4.939},  // a longer one
		"3141592653589793238462643383279502884197169399375105820974944592": {0.202, 39.418},
		"00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210": {-4.370, 213.114},
		"a0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9f": {-4.466, 235.285},
	} {
		asBase64, asHex := bitsOf(t, text)
		if math.Abs(asBase64-want[0]) > 0.01 || math.Abs(asHex-want[1]) > 0.01 {
			t.Errorf("%s: %.3f, %.3f bits; want %.3f, %.3f", text, asBase64, asHex, want[0], want[1])
		}
	}
}

func bitsOf(t *testing.T, text string) (asBase64, asHex float64) {
	t.Helper()
	secret, err := hex.DecodeString(text)
	if err != nil {
		secret, err = base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(text))
	}
	if err != nil {
		t.Fatal(text, err)
	}
	return sessionstore.TypedBits(secret)
}

// The proof that random secrets are not refused needs one thing of the model: its chances add up to 1, whatever was
// typed.
func TestTypistIsFair(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "text")
		for _, total := range []func(a, b float64) float64{math.Min, math.Max} {
			if sum := total(sessionstore.TypistTotals(text)); math.Abs(sum-1) > 1e-9 {
				t.Errorf("the chances of all symbols add up to %v", sum)
			}
		}
	})
}

// Markov's inequality, seen: of random secrets, at most 16 in 2ⁿ look typed by n bits, and none by as many as are
// refused.
func TestRandomSecretsAreNotTyped(t *testing.T) {
	t.Parallel()
	const secrets = 10_000
	var seen [64]int
	for range secrets {
		secret := make([]byte, sessionstore.MinSecretBytes)
		_, _ = rand.Read(secret)
		if weakness := sessionstore.WeaknessOf(secret); weakness != "" {
			t.Fatalf("a random secret %s: %x", weakness, secret)
		}
		asBase64, asHex := sessionstore.TypedBits(secret)
		for bits := range seen {
			if max(asBase64, asHex) >= float64(bits) {
				seen[bits]++
			}
		}
	}
	for bits, n := range seen {
		// Fewer than one in 10¹² runs see so many more than the mean.
		if mean := 17 * secrets / math.Exp2(float64(bits)); float64(n) > mean+8*math.Sqrt(mean)+8 {
			t.Errorf("%d of %d random secrets look typed by %d bits; want %.1f at most", n, secrets, bits, mean)
		}
	}
}
