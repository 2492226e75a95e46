package lockstrategy

// Remembered returns how many sessions a strategy remembers: what it keeps about requests must go with them.
func Remembered(s Strategy) int {
	switch s := s.(type) {
	case *merge:
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.lines)
	case *lease:
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.queues)
	default:
		return 0
	}
}
