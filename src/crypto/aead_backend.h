/* aead_backend: what backends share, and the rows themselves. Only for the files of crypto/aead. */
#pragma once
#include "crypto/aead.h"

/* First member of every backend's own struct. */
struct aead {
	const struct aead_backend *backend;
	enum aead_alg alg;
};

extern const struct aead_backend aead_backend_evp;
