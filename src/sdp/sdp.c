#include "sdp/sdp_internal.h"

#include <stdio.h>
#include <strings.h>

#include "base/mem.h"

/* ---- memory: blocks that are freed together ---- */

struct sdp_block {
	struct sdp_block *next;
	size_t used, cap;
	_Alignas(max_align_t) uint8_t bytes[];
};

enum { BLOCK_MIN = 8 * 1024, ARRAY_MIN = 4 };

void *sdp_alloc(struct sdp *s, size_t n)
{
	size_t need = (n + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	struct sdp_block *b = s->blocks;
	if (!b || b->cap - b->used < need) {
		size_t cap = MAX(need, (size_t)BLOCK_MIN);
		b = xcalloc(1, sizeof *b + cap);
		b->cap = cap;
		b->next = s->blocks;
		s->blocks = b;
	}
	void *p = b->bytes + b->used;
	b->used += need;
	return p;
}

char *sdp_copy(struct sdp *s, const char *text, size_t n)
{
	char *p = sdp_alloc(s, n + 1);
	memcpy(p, text, n);
	return p;
}

void *sdp_grow(struct sdp *s, void *array, size_t n, size_t size)
{
	if (n != 0 && (n < ARRAY_MIN || (n & (n - 1)) != 0))
		return array;
	void *p = sdp_alloc(s, MAX((size_t)ARRAY_MIN, 2 * n) * size);
	if (n)
		memcpy(p, array, n * size);
	return p;
}

struct sdp *sdp_new(void)
{
	return XNEW(struct sdp);
}

void sdp_free(struct sdp *s)
{
	if (!s)
		return;
	for (struct sdp_block *b = s->blocks, *next; b; b = next) {
		next = b->next;
		xfree(b);
	}
	xfree(s);
}

/* ---- words and numbers ---- */

char *sdp_word(char **at)
{
	char *p = *at;
	while (*p == ' ')
		p++;
	if (!*p)
		return NULL;
	char *end = p;
	while (*end && *end != ' ')
		end++;
	*at = *end ? end + 1 : end;
	*end = '\0';
	return p;
}

bool sdp_number(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		uint64_t digit = (uint64_t)(*text - '0');
		if (digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return true;
}

/* ---- lines ---- */

/* RFC 3551 §6 gives these payload types a meaning without an rtpmap. */
static const struct sdp_codec static_codecs[] = {
	{.pt = 0, .name = "PCMU", .clock_hz = 8000},
	{.pt = 8, .name = "PCMA", .clock_hz = 8000},
	{.pt = 9, .name = "G722", .clock_hz = 8000},
};

static int take_version(struct sdp_parser *p, char *value)
{
	if (strcmp(value, "0") != 0)
		return SDP_BAD(p, ERR_MALFORMED, "version is %.20s, not 0", value);
	return 0;
}

/* o=<username> <sess-id> <sess-version> <nettype> <addrtype> <address> (RFC 8866 §5.2) */
static int take_origin(struct sdp_parser *p, char *value)
{
	char *user = sdp_word(&value), *id = sdp_word(&value), *version = sdp_word(&value);
	if (!user || !id || !version || !sdp_number(id, UINT64_MAX, &p->s->session_id) ||
		!sdp_number(version, UINT64_MAX, &p->s->session_version))
		return SDP_BAD(p, ERR_MALFORMED, "o= needs a user name and two numbers");
	return 0;
}

static int take_formats(struct sdp_parser *p, char *formats)
{
	struct sdp_media *m = p->m;
	for (char *word; (word = sdp_word(&formats));) {
		uint64_t pt;
		if (!sdp_number(word, 127, &pt))
			return SDP_BAD(
				p, ERR_MALFORMED, "payload type %.20s is not in 0..127", word);
		if (sdp_codec_of(m, (uint8_t)pt))
			return SDP_BAD(
				p, ERR_MALFORMED, "payload type %.20s is listed twice", word);
		struct sdp_codec *c = SDP_PUSH(p->s, m->codecs, m->n_codecs);
		c->name = "";
		for (size_t i = 0; i < ARRAY_LEN(static_codecs); i++)
			if (static_codecs[i].pt == pt)
				*c = static_codecs[i];
		c->pt = (uint8_t)pt;
		c->channels = 1;
	}
	return 0;
}

static void finish_section(struct sdp_parser *p)
{
	struct sdp_media *m = p->m;
	for (uint16_t i = 0; m && i < m->n_codecs; i++) {
		struct sdp_codec *c = &m->codecs[i];
		for (uint16_t w = 0; w < p->n_wildcard && c->n_feedback < SDP_FEEDBACK_MAX; w++)
			*SDP_PUSH(p->s, c->feedback, c->n_feedback) = p->wildcard[w];
	}
	p->n_wildcard = 0;
}

/* m=<media> <port>[/<count>] <proto> <fmt> … (RFC 8866 §5.14) */
static int take_media(struct sdp_parser *p, char *value)
{
	static const char *const kinds[] = {
		[SDP_KIND_AUDIO] = "audio",
		[SDP_KIND_VIDEO] = "video",
		[SDP_KIND_APPLICATION] = "application",
	};
	finish_section(p);
	if (p->s->n_media == SDP_MEDIA_MAX)
		return SDP_BAD(p, ERR_TOO_LARGE, "more than %d media sections", SDP_MEDIA_MAX);
	char *type = sdp_word(&value), *port = sdp_word(&value), *proto = sdp_word(&value);
	if (!type || !port || !proto || !*value)
		return SDP_BAD(p, ERR_MALFORMED, "m= needs a type, a port, a protocol and formats");
	char *count = strchr(port, '/');
	if (count)
		*count = '\0';
	uint64_t number;
	if (!sdp_number(port, UINT16_MAX, &number))
		return SDP_BAD(p, ERR_MALFORMED, "%.20s is no port", port);

	struct sdp_media *m = p->m = SDP_PUSH(p->s, p->s->media, p->s->n_media);
	*m = (struct sdp_media){
		.type = type,
		.proto = proto,
		.port = (uint16_t)number,
		.direction = p->session_direction,
		.format = sdp_copy(p->s, value, strlen(value)),
	};
	for (size_t i = SDP_KIND_AUDIO; i < ARRAY_LEN(kinds); i++)
		if (strcmp(type, kinds[i]) == 0)
			m->kind = (enum sdp_kind)i;
	bool is_rtp =
		(m->kind == SDP_KIND_AUDIO || m->kind == SDP_KIND_VIDEO) && strstr(proto, "RTP/");
	return is_rtp ? take_formats(p, value) : 0;
}

static int take_line(struct sdp_parser *p, char *line, size_t n)
{
	if (n == 0)
		return 0;
	if (n > SDP_LINE_MAX)
		return SDP_BAD(p, ERR_TOO_LARGE, "longer than %d bytes", SDP_LINE_MAX);
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)line[i] < 0x20 || line[i] == 0x7f)
			return SDP_BAD(p, ERR_MALFORMED, "control character 0x%02x",
				(unsigned)(uint8_t)line[i]);
	if (n < 2 || line[1] != '=')
		return SDP_BAD(p, ERR_MALFORMED, "expected a letter and \"=\"");
	if (p->line == 1 && line[0] != 'v')
		return SDP_BAD(p, ERR_MALFORMED, "a description starts with v=0");
	switch (line[0]) {
	case 'v': return take_version(p, line + 2);
	case 'o': return take_origin(p, line + 2);
	case 'm': return take_media(p, line + 2);
	case 'a': return sdp_take_attribute(p, line + 2);
	default: return 0;
	}
}

int sdp_parse(struct sdp **out, struct slice text, struct errbuf *eb)
{
	*out = NULL;
	if (text.n > SDP_TEXT_MAX)
		return err_set(eb, ERR_TOO_LARGE, "description of %zu bytes, the limit is %d",
			text.n, SDP_TEXT_MAX);
	if (text.n == 0)
		return err_set(eb, ERR_MALFORMED, "description is empty");

	struct sdp *s = sdp_new();
	struct sdp_parser p = {.s = s, .eb = eb, .session_direction = SDP_SENDRECV};
	char *at = sdp_copy(s, (const char *)text.p, text.n), *end = at + text.n;
	while (at < end) {
		char *stop = memchr(at, '\n', (size_t)(end - at));
		char *next = stop ? stop + 1 : end;
		if (!stop)
			stop = end;
		if (stop > at && stop[-1] == '\r')
			stop--;
		*stop = '\0';
		p.line++;
		int err = take_line(&p, at, (size_t)(stop - at));
		if (err) {
			sdp_free(s);
			return err;
		}
		at = next;
	}
	finish_section(&p);
	*out = s;
	return 0;
}

/* ---- reading ---- */

const struct sdp_codec *sdp_codec_of(const struct sdp_media *m, uint8_t pt)
{
	for (uint16_t i = 0; i < m->n_codecs; i++)
		if (m->codecs[i].pt == pt)
			return &m->codecs[i];
	return NULL;
}

struct slice sdp_fmtp_param(const char *fmtp, const char *name)
{
	size_t name_len = strlen(name);
	while (fmtp && *fmtp) {
		while (*fmtp == ' ' || *fmtp == ';')
			fmtp++;
		size_t len = strcspn(fmtp, ";");
		if (len > name_len && fmtp[name_len] == '=' &&
			strncasecmp(fmtp, name, name_len) == 0)
			return slice_of(fmtp + name_len + 1, len - name_len - 1);
		fmtp += len;
	}
	return (struct slice){NULL, 0};
}

enum sdp_dir sdp_dir_reverse(enum sdp_dir dir)
{
	return (enum sdp_dir)(((dir & SDP_SENDONLY) ? SDP_RECVONLY : 0) |
		((dir & SDP_RECVONLY) ? SDP_SENDONLY : 0));
}

const char *sdp_dir_text(enum sdp_dir dir)
{
	static const char *const texts[] = {
		[SDP_INACTIVE] = "inactive",
		[SDP_SENDONLY] = "sendonly",
		[SDP_RECVONLY] = "recvonly",
		[SDP_SENDRECV] = "sendrecv",
	};
	return texts[dir];
}
