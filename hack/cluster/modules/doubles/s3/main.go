// Command s3-double is a service of objects for tests: gofakes3, which checks signatures and keeps all in memory.
//
// It prints the address that it listens on, and ends with its standard input.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

func main() {
	bucket := flag.String("bucket", "", "bucket that is there")
	key := flag.String("access-key-id", "", "id of the key that signs")
	secret := flag.String("secret-access-key", "", "the key that signs")
	host := flag.String("listen", "127.0.0.1", "address to listen on")
	flag.Parse()
	backend := s3mem.New()
	if err := backend.CreateBucket(context.Background(), *bucket); err != nil {
		log.Fatal(err)
	}
	service := gofakes3.New(backend, gofakes3.WithV4Auth(map[string]string{*key: *secret}))
	listener, err := net.Listen("tcp", *host+":0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	go func() { log.Fatal(http.Serve(listener, service.Server())) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}
