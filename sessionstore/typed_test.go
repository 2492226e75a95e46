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
