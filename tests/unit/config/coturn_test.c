/* turnserver.conf and coturn's command line: each option does what its row says, and none passes silently. */
#include "cm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/coturn_internal.h"

struct fixture {
	struct config_source src;
	struct coturn c;
	struct config *cfg;
	struct errbuf eb;
};

static int read_text(struct fixture *f, const char *text)
{
	*f = (struct fixture){0};
	f->c.src = &f->src;
	int err = coturn_read(&f->c, slice_str(text), "F", &f->eb);
	if (!err)
		err = coturn_finish(&f->c, &f->eb);
	return err ? err : config_load(&f->src, &f->cfg, &f->eb);
}

static void done(struct fixture *f)
{
	config_free(f->cfg);
	coturn_free(&f->c);
	config_source_free(&f->src);
}

static void assert_fails(const char *text, const char *message)
{
	struct fixture f;
	assert_int_equal(read_text(&f, text), -ERR_CONFIG);
	if (!strstr(f.eb.text, message))
		fail_msg("\"%s\" lacks \"%s\"", f.eb.text, message);
	done(&f);
}

static void a_usual_file_is_understood(void **st)
{
	(void)st;
	struct fixture f;
	assert_int_equal(read_text(&f,
				 "# comment\n"
				 "\n"
				 "listening-port=3479\r\n"
				 "  tls-listening-port = 5350  \n"
				 "listening-ip=192.0.2.1\n"
				 "listening-ip=192.0.2.2\n"
				 "external-ip=198.51.100.1/192.0.2.1\n"
				 "min-port 50000\n"
				 "max-port=50000\n"
				 "max-port=\"50999\"\n"
				 "user=alice:won:der,land\"\\\n"
				 "user=bob:0x0123456789abcdef0123456789ABCDEF\n"
				 "static-auth-secret=one, [two]\n"
				 "static-auth-secret=three\n"
				 "realm=example.org\n"
				 "no-tlsv1_2\n"
				 "user-quota=7\n"
				 "max-bps=64000\n"
				 "stale-nonce\n"
				 "allowed-peer-ip=10.0.0.1-10.0.0.9\n"
				 "no-udp=no\n"
				 "aux-server=[2001:db8::1]:80\n"
				 "prometheus\n"),
		0);
	const struct config_turn *t = &f.cfg->turn;
	assert_int_equal(t->udp_port, 3479);
	assert_int_equal(t->tls_port, 5350);
	assert_int_equal(t->bind_addresses.n, 2);
	assert_int_equal(t->relay_range_start, 50000);
	assert_int_equal(t->relay_range_end, 50999);
	assert_int_equal(t->users.n, 2);
	assert_string_equal(t->users.pair[0].key, "alice");
	assert_string_equal(t->users.pair[0].value, "won:der,land\"\\");
	assert_int_equal(t->secrets.n, 2);
	assert_string_equal(t->secrets.str[0], "one, [two]");
	assert_string_equal(t->realm, "example.org");
	assert_false(t->tls1_2);
	assert_int_equal(t->user_allocations, 7);
	assert_int_equal(t->allocation_bytes_per_s, 64000);
	assert_int_equal(t->nonce_lifetime_us, 600000000);
	assert_string_equal(t->allowed_peers.str[0], "10.0.0.1-10.0.0.9");
	assert_true(t->udp);
	assert_int_equal(t->listen.n, 1);
	assert_string_equal(t->listen.listen[0].address, "2001:db8::1");
	assert_int_equal(t->listen.listen[0].port, 80);
	assert_int_equal(f.cfg->prometheus_port, 9641);
	assert_false(t->other_address.sa.sa_family);
	assert_int_equal(f.c.notes.n, 0);
	done(&f);
}

static void mistakes_name_line_option_and_remedy(void **st)
{
	(void)st;
	assert_fails("\nlistning-port=1\n", "F:2: unknown option \"listning-port\"; did you mean listening-port?");
	assert_fails("min-port=99999\n", "F:1: min-port: \"99999\" is not a port");
	assert_fails("min-port\n", "F:1: min-port: a value is missing");
	assert_fails("user=alice\n", "F:1: user: a user is name:password");
	assert_fails("fingerprint=perhaps\n", "F:1: fingerprint: this is a switch");
	assert_fails("server-relay\n", "F:1: server-relay: not possible: it lets anybody send");
	assert_fails("mysql-userdb=\"host=x\"\n", "MySQL is not supported");
	assert_fails("use-auth-secret\n", "use-auth-secret: there is no secret");
	assert_fails("prometheus-path=/x\n", "metrics are at /metrics");
	assert_fails("denied-peer-ip=10.0.0.9-10.0.0.1\n", "F:1: denied-peer-ip: ");
	struct fixture f;
	assert_int_equal(read_text(&f, "server-relay=no\n"), 0);
	done(&f);
}

static void secrets_stay_out_of_messages(void **st)
{
	(void)st;
	static const char *const bad[] = {"user=:hushhush\n",
		"static-auth-secret=hushhush\nx-y=1\n", "user=a:0xhushhush\n",
		"pkey-pwd=hushhush\nmin-port=x\n", "cli-password=hushhush\nverbose=x\n"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fixture f;
		(void)!read_text(&f, bad[i]);
		assert_true(f.eb.text[0]);
		assert_null(strstr(f.eb.text, "hushhush"));
		done(&f);
	}
}

static void ignored_options_are_named_once(void **st)
{
	(void)st;
	struct fixture f;
	assert_int_equal(read_text(&f, "cli-port=1\ncli-port=2\nkeep-address-family\nudp-self-"
				       "balance=no\nno-cli\n"),
		0);
	assert_int_equal(f.c.notes.n, 2);
	assert_non_null(strstr(f.c.notes.str[0], "cli-port: ignored: there is no telnet console"));
	done(&f);
}

/* Each row can be taken, does something or says something, and leads to keys that exist. */
static void each_option_has_an_effect_or_a_note(void **st)
{
	(void)st;
	for (size_t i = 0; i < coturn_options_n; i++) {
		const struct coturn_option *o = &coturn_options[i];
		char line[128];
		struct fixture f = {0};
		f.c.src = &f.src;
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(coturn_options[k].name, o->name);
			assert_true(!o->brief || coturn_options[k].brief != o->brief);
		}
		assert_true(!o->path || config_row_find(o->path));
		assert_true(o->fate != COTURN_IGNORED || *o->why);
		const char *value = strcmp(o->name, "aux-server") == 0        ? "=192.0.2.1:1"
				    : strcmp(o->name, "user") == 0            ? "=a:b"
				    : strcmp(o->name, "prometheus-path") == 0 ? "=/metrics"
				    : o->has_value                            ? "=5"
									      : "";
		(void)snprintf(line, sizeof line, "%s%s", o->name, value);
		int err = coturn_read(&f.c, slice_str(line), "F", &f.eb);
		assert_int_equal(err, o->fate == COTURN_REFUSED ? -ERR_CONFIG : 0);
		assert_int_equal(f.c.notes.n, o->fate == COTURN_IGNORED);
		assert_true((o->fate == COTURN_KEY || o->fate == COTURN_LIST ||
				    o->fate == COTURN_ON) == (f.src.flags_n > 0) ||
			    o->fate == COTURN_CALL);
		done(&f);
	}
}

static void the_command_line_is_getopt_s(void **st)
{
	(void)st;
	static const char *const argv[] = {"-u", "alice:x", "-p3480", "-nfz", "--min-port", "50000",
		"--max-port=50100", "--mobility"};
	struct fixture f = {0};
	f.c.src = &f.src;
	for (size_t i = 0; i < ARRAY_LEN(argv); i++) {
		bool used_next;
		const char *next = i + 1 < ARRAY_LEN(argv) ? argv[i + 1] : NULL;
		assert_int_equal(coturn_argument(&f.c, argv[i], next, &used_next, &f.eb), 0);
		i += used_next;
	}
	assert_int_equal(config_load(&f.src, &f.cfg, &f.eb), 0);
	assert_int_equal(f.cfg->turn.udp_port, 3480);
	assert_string_equal(f.cfg->turn.users.pair[0].key, "alice");
	assert_true(f.cfg->turn.no_auth);
	assert_int_equal(f.cfg->turn.relay_range_start, 50000);
	assert_int_equal(f.cfg->turn.relay_range_end, 50100);
	bool used_next;
	assert_int_equal(coturn_argument(&f.c, "--turn.realm", "x", &used_next, &f.eb), -ERR_NOT_FOUND);
	assert_int_equal(coturn_argument(&f.c, "-x", "x", &used_next, &f.eb), -ERR_NOT_FOUND);
	assert_int_equal(coturn_argument(&f.c, "--realm", NULL, &used_next, &f.eb), -ERR_CONFIG);
	assert_int_equal(coturn_argument(&f.c, "-u", NULL, &used_next, &f.eb), -ERR_CONFIG);
	done(&f);
}

static void discovery_needs_two_addresses(void **st)
{
	(void)st;
	struct fixture f;
	char text[ADDR_TEXT_CAP];
	assert_int_equal(read_text(&f, "rfc5780\nlistening-ip=192.0.2.1\nlistening-ip=2001:db8::"
				       "1\nlistening-ip=192.0.2.2\n"),
		0);
	assert_string_equal(addr_format_ip(&f.cfg->turn.other_address, text), "192.0.2.2");
	done(&f);
	assert_int_equal(read_text(&f, "rfc5780\nlistening-ip=192.0.2.1\n"), 0);
	assert_int_equal(f.c.notes.n, 1);
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_usual_file_is_understood),
		cmocka_unit_test(mistakes_name_line_option_and_remedy),
		cmocka_unit_test(secrets_stay_out_of_messages),
		cmocka_unit_test(ignored_options_are_named_once),
		cmocka_unit_test(each_option_has_an_effect_or_a_note),
		cmocka_unit_test(the_command_line_is_getopt_s),
		cmocka_unit_test(discovery_needs_two_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
