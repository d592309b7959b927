/* The join_request parameter: as the text of the URL, and as the bytes that base64 would give. */
#include <stdlib.h>

#include "base/base64.h"
#include "pb/join_request.h"
#include "pb/pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void try_param(struct slice param)
{
	Livekit__JoinRequest *req;
	struct errbuf eb;
	int err = pb_join_request_decode(param, &req, &eb);
	if ((req == NULL) != (err != 0))
		abort();
	pb_free(req);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	try_param(slice_of(p, n));
	struct buf param;
	buf_init(&param, SIZE_MAX / 2);
	base64_encode(&param, slice_of(p, n), BASE64_URL);
	try_param(buf_slice(&param));
	buf_free(&param);
	return 0;
}
