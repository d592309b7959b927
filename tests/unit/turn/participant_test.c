#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "turn/participant.h"

static void what_is_minted_is_read(void **st)
{
	static const char *const keys[] = {
		"devkey", "a", "\xff\xfe\xfd\xfc\xfb\xfa", "APIxxxxxxxxxxxx", "\x7f\x7f\x7f", "~~~~~~~~"};
	static const uint64_t times[] = {1, 9, 1700000000, UINT64_C(9999999999999999999)};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		for (size_t k = 0; k < ARRAY_LEN(times); k++) {
			char user[TURN_PARTICIPANT_USER_CAP],
				password[TURN_PARTICIPANT_PASSWORD_CAP];
			char again[TURN_PARTICIPANT_PASSWORD_CAP];
			struct turn_participant p;
			assert_int_equal(turn_participant_mint(keys[i], "secret", "PA_abcdefgh2345",
						 times[k], user, password),
				0);
			assert_int_equal(turn_participant_parse(slice_str(user), &p), 0);
			assert_string_equal(p.api_key, keys[i]);
			assert_string_equal(p.sid, "PA_abcdefgh2345");
			assert_true(p.expires_s == times[k]);
			turn_participant_password(&p, "secret", again);
			assert_string_equal(again, password);
			turn_participant_password(&p, "Secret", again);
			assert_string_not_equal(again, password);
			assert_true(strlen(password) >= 43);
			/* There is one text for one name: nothing may follow. */
			size_t n = strlen(user);
			user[n] = '0';
			assert_int_equal(
				turn_participant_parse(slice_of(user, n + 1), &p), -ERR_MALFORMED);
			user[n] = 0;
			assert_int_equal(strspn(user, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
						      "nopqrstuvwxyz"),
				strlen(user));
		}
	}
}

static void passwords_depend_on_each_part(void **st)
{
	char user[TURN_PARTICIPANT_USER_CAP], first[TURN_PARTICIPANT_PASSWORD_CAP];
	char other[TURN_PARTICIPANT_PASSWORD_CAP];
	assert_int_equal(turn_participant_mint("key", "s", "PA_1", 5, user, first), 0);
	assert_int_equal(turn_participant_mint("key", "s", "PA_2", 5, user, other), 0);
	assert_string_not_equal(first, other);
	assert_int_equal(turn_participant_mint("key", "s", "PA_1", 6, user, other), 0);
	assert_string_not_equal(first, other);
}

/* base62 of "devkey|PA_1|1700000000" and of SHA-256("secret|PA_1|1700000000"), computed by another program. */
static void the_password_is_the_specified_hash(void **st)
{
	char user[TURN_PARTICIPANT_USER_CAP], password[TURN_PARTICIPANT_PASSWORD_CAP];
	assert_int_equal(
		turn_participant_mint("devkey", "secret", "PA_1", 1700000000, user, password), 0);
	assert_string_equal(user, "P6LsQsLvV511Np5y69kO61WO61WO60");
	assert_string_equal(password, "7y5dAvfzzp30VyrK3YW10LnEarIswC5wyGN7MrSRognm");
}

static void what_cannot_be_minted_is_refused(void **st)
{
	char user[TURN_PARTICIPANT_USER_CAP], password[TURN_PARTICIPANT_PASSWORD_CAP], huge[300];
	static const struct {
		const char *key, *sid;
		uint64_t expires_s;
	} rows[] = {{"", "PA", 1}, {"k", "", 1}, {"k", "PA", 0}, {"k|l", "PA", 1}, {"k", "P|A", 1}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(turn_participant_mint(rows[i].key, "s", rows[i].sid, rows[i].expires_s,
					 user, password),
			-ERR_MALFORMED);
	memset(huge, 'k', sizeof huge);
	for (size_t n = sizeof huge - 1; n > 0; n--) {
		huge[n] = 0;
		int err = turn_participant_mint(huge, "s", "PA_1", 1700000000, user, password);
		assert_true(err == 0 || err == -ERR_NO_ROOM);
		assert_true(n > 200 || err == 0);
		assert_true(n < 270 || err);
	}
	huge[0] = 'k';
	memset(huge, 's', 64);
	huge[64] = 0;
	assert_int_equal(turn_participant_mint("k", "s", huge, 1, user, password), -ERR_NO_ROOM);
}

/* Anything but what mint writes is refused: cut, changed, with more at the end. */
static void other_names_are_refused(void **st)
{
	char user[TURN_PARTICIPANT_USER_CAP], password[TURN_PARTICIPANT_PASSWORD_CAP];
	struct turn_participant p;
	static const char *const rows[] = {"", "user", "1700000000:user", "0", "z", "zzzz", "-", "00000000"};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(turn_participant_parse(slice_str(rows[i]), &p), -ERR_MALFORMED);
	assert_int_equal(turn_participant_mint("key", "s", "PA_1", 1700000000, user, password), 0);
	size_t n = strlen(user);
	user[n] = '0';
	assert_int_equal(turn_participant_parse(slice_of(user, n + 1), &p), -ERR_MALFORMED);
	for (size_t i = 0; i + 4 < n - 14; i++)
		assert_int_equal(turn_participant_parse(slice_of(user, i), &p), -ERR_MALFORMED);
	assert_int_equal(turn_participant_parse(slice_of(user, n), &p), 0);
	memset(user, '0', sizeof user);
	assert_int_equal(turn_participant_parse(slice_of(user, sizeof user), &p), -ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_minted_is_read),
		cmocka_unit_test(passwords_depend_on_each_part),
		cmocka_unit_test(the_password_is_the_specified_hash),
		cmocka_unit_test(what_cannot_be_minted_is_refused),
		cmocka_unit_test(other_names_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
