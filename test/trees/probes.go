package trees

import "context"

func BuildProbes(ctx context.Context) (string, error)          { return "", nil }
func BuildHostWithTestLib(ctx context.Context) (string, error) { return "", nil }
