package terminal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
)

// Ask asks a question and returns the answer, without white space around it. It is not for a terminal where nobody
// answers: see Asks. It returns when ctx ends, and leaves a goroutine behind that waits for the answer.
func (t *Terminal) Ask(ctx context.Context, question string) (string, error) {
	if _, err := io.WriteString(t.Screen(), string(t.PaintErr(question, Strong))+" "); err != nil {
		return "", fmt.Errorf("the question cannot be asked: %w", err)
	}
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(t.In).ReadString('\n') // What was typed before the end counts, too.
		answer <- strings.TrimSpace(line)
	}()
	select {
	case text := <-answer:
		return text, nil
	case <-ctx.Done():
		t.Say("")
		return "", ctx.Err()
	}
}
