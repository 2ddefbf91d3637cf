/* SPDX-License-Identifier: MIT */
#include "model/filter.h"

#include "default-filter.h"

const struct sock_filter *filter_default(unsigned short *ret_len)
{
	*ret_len = sizeof(default_filter) / sizeof(default_filter[0]);
	return default_filter;
}
