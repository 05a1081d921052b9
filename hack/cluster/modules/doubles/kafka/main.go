// Command kafka-double is a broker of Kafka for tests: kfake, which speaks the real protocol and keeps all in memory.
//
// It prints the address that it listens on, and ends with its standard input. With a certificate it speaks TLS alone, and
// with users it asks for a password.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	topics := flag.String("topics", "", "topics that are there, with a comma between them")
	partitions := flag.Int("partitions", 2, "partitions of each topic")
	host := flag.String("listen", "127.0.0.1", "address to listen on")
	certificate := flag.String("certificate", "", "file with the certificate and its key")
	users := flag.String("users", "", "MECHANISM:NAME:PASSWORD, with a comma between them")
	flag.Parse()
	listen := func(network, _ string) (net.Listener, error) {
		listener, err := net.Listen(network, *host+":0")
		if err != nil || *certificate == "" {
			return naming{listener}, err
		}
		shown, err := tls.LoadX509KeyPair(*certificate, *certificate)
		return naming{tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{shown}})}, err
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ListenFn(listen),
		kfake.SeedTopics(int32(*partitions), strings.Split(*topics, ",")...),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}),
	}
	if *users != "" {
		options = append(options, kfake.EnableSASL())
		for _, user := range strings.Split(*users, ",") {
			parts := strings.SplitN(user, ":", 3)
			options = append(options, kfake.Superuser(parts[0], parts[1], parts[2]))
		}
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	fmt.Println(cluster.ListenAddrs()[0])
	_, _ = io.Copy(io.Discard, os.Stdin)
}
