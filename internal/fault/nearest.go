package fault

// Nearest returns the one of the words that a mistyped one was most likely meant to be: where at most a third of its
// letters are wrong, missing, too many or swapped with the next. Empty if there is none.
func Nearest(word string, words []string) string {
	if len(word) < 3 || len(word) > 64 { // too short to tell, or no mistake of typing
		return ""
	}
	best, least := "", len(word)
	for _, w := range words {
		if d := distance(word, w); d < least && d <= max(len(word), len(w))/3 {
			best, least = w, d
		}
	}
	return best
}

// DidYouMean begins a hint with Nearest's word, if there is one, and what stands before it on a command line.
func DidYouMean(word string, words []string, before, hint string) string {
	if near := Nearest(word, words); near != "" {
		return "did you mean " + before + near + "? " + hint
	}
	return hint
}

// distance is how many letters are wrong, missing, too many or swapped (the optimal string alignment distance).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
